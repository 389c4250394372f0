"""Writing to the index in bulk, with every item's outcome read.

Documents bear the version of their row: Elasticsearch refuses an older one as a conflict, which is
success here, since a newer one is there. So it does no harm when work comes late, twice or out of
order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.service_errors import Meaning
from ingest.records import Key
from search.errors import RequestTooLarge
from search.index import answers
from search.index.client import failures, patient_client
from search.index.documents import Content, document
from search.index.layout import Target, document_name

#: Of one bulk request, about; its documents are held in memory twice.
MAX_BYTES = 8 * 1024 * 1024
#: The version of what was removed, above that of any row.
REMOVED = 2**62

#: Of the answer, which would else be as long as the request.
_WANTED = ("items.*.status", "items.*.error")

_CONFLICT = 409


@dataclass(frozen=True)
class Change:
    """What the document of this key is to be: that of the row, or gone without one."""

    key: Key
    row: Content | None

    @property
    def version(self) -> int:
        """Newer than whatever it replaces."""
        return self.row.version if self.row else REMOVED


@dataclass(frozen=True)
class Rejected:
    """A document that Elasticsearch will not take, and why."""

    change: Change
    reason: str


@dataclass(frozen=True)
class _Operation:
    change: Change
    lines: Sequence[dict[str, Any]]


def write(changes: Sequence[Change], targets: Sequence[Target]) -> list[Rejected]:
    """Make these changes in every target; what was refused.

    Raises IndexUnusable: then some may have been made, and all are to be made again.
    """
    refused: list[Rejected] = []
    for operations in _requests(changes, targets):
        for operation, outcome in zip(operations, _sent(operations), strict=True):
            reason = _rejection(outcome)
            if reason:
                refused.append(Rejected(operation.change, reason))
    return refused


def _sent(operations: Sequence[_Operation]) -> list[dict[str, Any]]:
    """The outcome of each operation, by as many requests as the server's limit makes of them."""
    lines = [line for operation in operations for line in operation.lines]
    try:
        with failures():
            answer = patient_client().bulk(operations=lines, filter_path=_WANTED)
    except RequestTooLarge:
        half = len(operations) // 2
        if not half:
            raise
        return _sent(operations[:half]) + _sent(operations[half:])
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
        # A removal knows no require_alias and would make an index of the name that it is given:
        # one without a role, which the next build clears away.
        return _Operation(change, [{"delete": {"_index": target.index, **about}}])
    # Never makes an index by itself, with a mapping that nobody chose.
    about["require_alias"] = True
    return _Operation(change, [{"index": {"_index": target.alias, **about}}, source])


def _rejection(outcome: dict[str, Any]) -> str | None:
    """Why the document is refused for good. Raises IndexUnusable where it is not at fault."""
    status, error = outcome["status"], outcome.get("error")
    if error is None or status == _CONFLICT:
        return None
    if answers.meaning_of(status, error) is Meaning.ROW_AT_FAULT:
        return answers.describe(error)
    raise answers.failure(status, error)
