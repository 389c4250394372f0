"""What one request submits: rows of one parent, with consecutive numbers, all of them or none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.errors import KeyReused
from core.rows import Key, Kind, Lease, NewRow, NumberedRow, RequestKey


@dataclass
class Repeatable:
    """A request with an Idempotency-Key, and whether it turned out to be a repeat."""

    key: RequestKey
    is_repeat: bool = False


@dataclass(frozen=True)
class Submission:
    """At least one row; all of one kind, of one parent, and accepted at one time."""

    rows: Sequence[NewRow]
    request: Repeatable | None = None

    @property
    def kind(self) -> Kind:
        """The kind of the rows."""
        return self.rows[0].kind

    @property
    def parent(self) -> Key:
        """The natural key of their parent."""
        return self.rows[0].parent

    @property
    def size(self) -> int:
        """At most so many bytes."""
        return sum(row.size for row in self.rows)

    def payloads(self, lease: Lease | None = None) -> list[bytes]:
        """All that is known of the rows before they have numbers."""
        head, *tail = self.rows
        return [head.payload(lease, self._key), *(row.payload(lease) for row in tail)]

    def numbered(
        self, first: int, lease: Lease | None = None, payloads: Sequence[bytes] = ()
    ) -> list[NumberedRow]:
        """The rows with numbers from this one on; the first knows of the request.

        With their payloads, where these have been made.
        """
        encoded = payloads or [b""] * len(self.rows)
        head, *tail = self.rows
        rows = [head.numbered(first, lease, self._key, encoded[0])]
        for place, row in enumerate(tail, start=1):
            rows.append(row.numbered(first + place, lease, None, encoded[place]))
        return rows

    @property
    def _key(self) -> RequestKey | None:
        return self.request.key if self.request else None

    def repeated(self, fingerprint: str, first: int, accepted_at: datetime) -> list[NumberedRow]:
        """What the first request was answered, of which this one is a repeat. Raises KeyReused."""
        if self.request is None or self.request.key.fingerprint != fingerprint:
            raise KeyReused
        self.request.is_repeat = True
        return [
            replace(row, accepted_at=accepted_at).numbered(number)
            for number, row in enumerate(self.rows, start=first)
        ]
