"""The rows that one request submits, and the outcomes of the submissions of a group."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from infra.redis_client import Shard, shard_of
from ingest.idempotency import IdempotentRequest, KeyReused, Record, RequestKey
from ingest.message_format import new_payload
from ingest.records import Key, Lease, NewRow, NumberedRow, RecordType


@dataclass(frozen=True)
class Submission:
    """One or more rows of one record type and one parent: they get consecutive numbers, or none."""

    rows: Sequence[NewRow]
    request: IdempotentRequest | None = None

    @property
    def record_type(self) -> RecordType:
        """The record type of the rows."""
        return self.rows[0].record_type

    @property
    def parent(self) -> Key:
        """The natural key of their parent."""
        return self.rows[0].parent

    @property
    def shard(self) -> Shard:
        """The shard of their application."""
        return shard_of(str(self.parent[0]))

    @property
    def size(self) -> int:
        """An upper bound of the bytes of its rows."""
        return sum(row.size for row in self.rows)

    def payloads(self, lease: Lease | None = None) -> list[bytes]:
        """The payloads of the rows; they do not depend on the numbers."""
        head, *tail = self.rows
        first = new_payload(head, lease, self._key)
        return [first, *(new_payload(row, lease, None) for row in tail)]

    def numbered(
        self, first: int, lease: Lease | None = None, payloads: Sequence[bytes] = ()
    ) -> list[NumberedRow]:
        """The rows with numbers from `first` on; the first row carries the idempotency key."""
        encoded = payloads or [b""] * len(self.rows)
        head, *tail = self.rows
        rows = [head.numbered(first, lease, self._key, encoded[0])]
        for place, row in enumerate(tail, start=1):
            rows.append(row.numbered(first + place, lease, None, encoded[place]))
        return rows

    @property
    def _key(self) -> RequestKey | None:
        return self.request.key if self.request else None

    def repeated(self, first: Record) -> list[NumberedRow] | KeyReused:
        """The rows of the first request, which this one repeats, or the error."""
        if self.request is None or self.request.key.fingerprint != first.fingerprint:
            return KeyReused()
        self.request.is_repeat = True
        return [
            replace(row, accepted_at=first.accepted_at).numbered(number)
            for number, row in enumerate(self.rows, start=first.first_number)
        ]


class GroupOutcome:
    """The outcome of each submission of a group; each is settled once, as a whole."""

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self.submissions = submissions
        self._outcomes: dict[int, Sequence[NumberedRow] | Exception] = {}
        self._numbered: dict[int, Sequence[NumberedRow]] = {}

    def waiting(self) -> list[int]:
        """The positions of submissions without an outcome."""
        return [place for place in range(len(self.submissions)) if place not in self._outcomes]

    def waiting_by_shard(self) -> Mapping[Shard, list[int]]:
        """The same by the shard of the application, in order of arrival."""
        by_shard: defaultdict[Shard, list[int]] = defaultdict(list)
        for position in self.waiting():
            by_shard[self.submissions[position].shard].append(position)
        return by_shard

    def settle(self, position: int, outcome: Sequence[NumberedRow] | Exception) -> None:
        """The submission fails with this error, or its rows are stored, now or before."""
        self._outcomes[position] = outcome

    def number(self, position: int, rows: Sequence[NumberedRow]) -> None:
        """These rows have numbers and wait for delivery."""
        self._outcomes[position] = self._numbered[position] = rows

    def fail_waiting(self, error: Exception, of: Iterable[int] | None = None) -> None:
        """All submissions without an outcome, or those of these, fail with this error."""
        positions = range(len(self.submissions)) if of is None else of
        self._outcomes = {**dict.fromkeys(positions, error), **self._outcomes}

    def numbered(self) -> list[NumberedRow]:
        """The rows that have numbers and wait for delivery."""
        return [row for rows in self._numbered.values() for row in rows]

    def undelivered(self, error: Exception) -> None:
        """The numbered rows could not be delivered."""
        self._outcomes |= dict.fromkeys(self._numbered, error)

    def outcomes(self) -> list[Sequence[NumberedRow] | Exception]:
        """The outcomes in the order of the submissions; all must be settled."""
        return [self._outcomes[position] for position in range(len(self.submissions))]


def keyed_requests(submissions: Iterable[Submission]) -> list[tuple[str, RequestKey]]:
    """The submissions with an idempotency key, by application and key."""
    return [(str(one.parent[0]), one.request.key) for one in submissions if one.request]
