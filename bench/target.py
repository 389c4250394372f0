"""What load is put on."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A server's address for new messages, and how many rows of them its table holds by now.

    With `key` its requests bear that, and an Idempotency-Key each, in headers whose names begin
    with `prefix`.
    """

    name: str
    address: str
    count_stored: Callable[[], int]
    key: str = ""
    prefix: str = ""
