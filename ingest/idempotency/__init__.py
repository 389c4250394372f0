"""Requests that may be repeated: the same key gets the same answer, for a day."""

from dataclasses import dataclass

from infra.errors import DomainError


class KeyReused(DomainError):
    """The Idempotency-Key was used for a request with other content."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body.")


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Two digests, UUIDs in hexadecimal: `name` of path and key, `fingerprint` of the content."""

    name: str
    fingerprint: str


@dataclass
class IdempotentRequest:
    """A request with an Idempotency-Key; `is_repeat` once it turned out to be one."""

    key: RequestKey
    is_repeat: bool = False
