"""Idempotency keys: a request that may be repeated, and what it is recognised by."""

from dataclasses import dataclass

from infra.errors import DomainError


class KeyReused(DomainError):
    """An Idempotency-Key stands for another request already."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body.")


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request that may be repeated: digests of its path with its key, and of what it says.

    Each is a UUID of 32 hexadecimal digits.
    """

    name: str
    fingerprint: str


@dataclass
class IdempotentRequest:
    """A request with an Idempotency-Key, and whether it turned out to be a repeat."""

    key: RequestKey
    is_repeat: bool = False
