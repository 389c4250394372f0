"""Bulk writes to the index; the outcome of every item is read.

A document has the version of its row (external versioning). Elasticsearch rejects an older version
as a conflict, which counts as success, because a newer one is there. So late, repeated and
reordered writes do no harm. A document that Elasticsearch rejects becomes a dead letter; its replay
indexes the message again, with the row as it is then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from infra.rabbitmq.queues import SEARCH
from infra.service_errors import Meaning
from ingest.dead_letters.set_aside import Letter, keep
from ingest.records import Key
from search.errors import RequestTooLarge, describe, failure, meaning_of
from search.index.client import failures, patient_client
from search.index.documents import Content, document
from search.index.layout import Target, document_name

#: Size of one bulk request, approximately; its documents are held in memory twice.
MAX_BYTES = 8 * 1024 * 1024
#: The version of a removed document, above that of any row.
REMOVED = 2**62

#: The parts of the response that are needed; a whole one would be as long as the request.
_RESPONSE_FIELDS = ("items.*.status", "items.*.error")

_CONFLICT = 409

DEAD_LETTER_KIND = "search"


@dataclass(frozen=True)
class Change:
    """A document to be written from this row, or to be removed if there is no row."""

    key: Key
    row: Content | None

    @property
    def version(self) -> int:
        """The external version of the document."""
        return self.row.version if self.row else REMOVED


@dataclass(frozen=True)
class Rejected:
    """A change that Elasticsearch rejects for good, and the reason."""

    change: Change
    reason: str


@dataclass(frozen=True)
class _Operation:
    change: Change
    lines: Sequence[dict[str, Any]]


def write_changes(changes: Sequence[Change], targets: Sequence[Target]) -> None:
    """Apply these changes; rejected ones become dead letters. Raises IndexUnusable."""
    for rejected in write(changes, targets):
        _set_aside(rejected)


def write(changes: Sequence[Change], targets: Sequence[Target]) -> list[Rejected]:
    """Apply these changes to every target, and return the rejected ones.

    Raises IndexUnusable: some changes may have been applied then, and all must be repeated.
    """
    rejected: list[Rejected] = []
    for operations in _requests(changes, targets):
        for operation, outcome in zip(operations, _send(operations), strict=True):
            reason = _rejection(outcome)
            if reason:
                rejected.append(Rejected(operation.change, reason))
    return rejected


def _send(operations: Sequence[_Operation]) -> list[dict[str, Any]]:
    """The outcome of each operation. A request that is too large is halved and sent again."""
    lines = [line for operation in operations for line in operation.lines]
    try:
        with failures():
            answer = patient_client().bulk(operations=lines, filter_path=_RESPONSE_FIELDS)
    except RequestTooLarge:
        half = len(operations) // 2
        if not half:
            raise
        return _send(operations[:half]) + _send(operations[half:])
    return [outcome for item in answer["items"] for outcome in item.values()]


def _requests(
    changes: Sequence[Change], targets: Sequence[Target]
) -> Iterator[Sequence[_Operation]]:
    operations: list[_Operation] = []
    size = 0
    for change in changes:
        source = document(change.row) if change.row else None
        operations += [_operation(change, source, target) for target in targets]
        size += len(targets) * len(change.row.body) * 4 if change.row else 0
        if size > MAX_BYTES:
            yield operations
            operations, size = [], 0
    if operations:
        yield operations


def _operation(change: Change, source: dict[str, Any] | None, target: Target) -> _Operation:
    about = {
        "_id": document_name(change.key),
        "routing": document_name(change.key[:-1]),
        "version": change.version,
        "version_type": "external",
    }
    if source is None:
        # A delete has no require_alias. With an unknown name it would create an index, which has
        # no role, so the next build removes it.
        return _Operation(change, [{"delete": {"_index": target.index, **about}}])
    # Without it Elasticsearch would create a missing index, with a mapping of its own.
    about["require_alias"] = True
    return _Operation(change, [{"index": {"_index": target.alias, **about}}, source])


def _rejection(outcome: dict[str, Any]) -> str | None:
    """Why the document itself is rejected, or None. Raises IndexUnusable for all other failures."""
    status, error = outcome["status"], outcome.get("error")
    if error is None or status == _CONFLICT:
        return None
    if meaning_of(status, error) is Meaning.ROW_AT_FAULT:
        return describe(error)
    raise failure(status, error)


def _set_aside(rejected: Rejected) -> None:
    """Keep key and reason as a dead letter, once for each version. The row stays in its table."""
    key, version = rejected.change.key, rejected.change.version
    letter = Letter(
        kind=DEAD_LETTER_KIND,
        queue=SEARCH,
        key=key,
        payload={"version": version},
        place=(key[:-1], int(key[-1])),
    )
    letter_id = uuid5(NAMESPACE_OID, f"{DEAD_LETTER_KIND} {document_name(key)} {version}")
    keep(letter_id, letter, rejected.reason)
