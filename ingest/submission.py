"""What one request submits: rows of one parent, with consecutive numbers, all of them or none.

The submissions of one group, and what has become of each.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ingest.idempotency.keys import IdempotentRequest, KeyReused, RequestKey
from ingest.records import Key, Lease, NewRow, NumberedRow, RecordType


@dataclass(frozen=True)
class Submission:
    """At least one row; all of one kind, of one parent, and accepted at one time."""

    rows: Sequence[NewRow]
    request: IdempotentRequest | None = None

    @property
    def kind(self) -> RecordType:
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


class GroupOutcome:
    """Submissions that wait for numbers until they are settled, each once and as a whole."""

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self.submissions = submissions
        self._stored: dict[int, Sequence[NumberedRow]] = {}
        self._numbered: dict[int, Sequence[NumberedRow]] = {}
        self._failed: dict[int, Exception] = {}

    def waiting(self) -> list[int]:
        """The positions of the submissions that have no outcome yet."""
        settled = {*self._stored, *self._numbered, *self._failed}
        return [place for place in range(len(self.submissions)) if place not in settled]

    def waiting_by_parent(self) -> Mapping[Key, list[int]]:
        """The same by parent, each in the order of arrival."""
        by_parent: defaultdict[Key, list[int]] = defaultdict(list)
        for position in self.waiting():
            by_parent[self.submissions[position].parent].append(position)
        return by_parent

    def store(self, position: int, rows: Sequence[NumberedRow]) -> None:
        """These rows are numbered and stored."""
        self._stored[position] = rows

    def number(self, position: int, rows: Sequence[NumberedRow]) -> None:
        """These rows have their numbers, and are to be delivered."""
        self._numbered[position] = rows

    def fail(self, position: int, error: Exception) -> None:
        """This submission ends with this error."""
        self._failed[position] = error

    def fail_waiting(self, error: Exception) -> None:
        """All that still waits ends with this error."""
        self._failed |= dict.fromkeys(self.waiting(), error)

    def numbered(self) -> list[NumberedRow]:
        """The rows that have a number and are to be delivered."""
        return [row for rows in self._numbered.values() for row in rows]

    def undelivered(self, error: Exception) -> None:
        """The rows that have a number could not be delivered now."""
        self._failed |= dict.fromkeys(self._numbered, error)
        self._numbered.clear()

    def outcomes(self) -> list[Sequence[NumberedRow] | Exception]:
        """What each request is told, in the order given; all must be settled."""
        outcomes: dict[int, Sequence[NumberedRow] | Exception] = {
            **self._stored,
            **self._numbered,
            **self._failed,
        }
        return [outcomes[position] for position in range(len(self.submissions))]
