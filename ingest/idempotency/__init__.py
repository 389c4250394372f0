"""Requests that may be repeated: the same key gets the same answer, for a day."""

from dataclasses import dataclass
from datetime import datetime

from infra.errors import DomainError


class KeyReused(DomainError):
    """The Idempotency-Key was used for a request with other content."""

    detail = "This Idempotency-Key was used with another body."


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Two digests, UUIDs in hexadecimal: `name` of path and key, `fingerprint` of the content."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Record:
    """The first request with a key: the digest of its content, its first number, and its time."""

    fingerprint: str
    first_number: int
    accepted_at: datetime


@dataclass
class IdempotentRequest:
    """A request with an Idempotency-Key; `is_repeat` once it turned out to be one."""

    key: RequestKey
    is_repeat: bool = False
