"""The share of each application in an import: its lines are stored here, each exactly once.

A batch may have lines of many applications, which may lie on different shards. So the lines of each
application have a transaction of their own, which also records how far they are stored: a batch
that is repeated, because only a part of it was committed, skips them. The lock of the share holds
back rival runs.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from django.db.models import F, QuerySet

from conversations.import_lines import Batch, Entry, Rejection
from conversations.models import ImportShare, RejectedLine


@dataclass(frozen=True, slots=True)
class Portion:
    """The lines of one application in a batch; `name` is its name, if they tell it."""

    token: str
    name: str
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of a batch that are stored one by one, and what belongs to no application.

    `token` is the application of the lines behind the batch, if they do not tell it.
    """

    portions: Sequence[Portion]
    unplaced: Collection[Rejection] = ()
    token: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """What a transaction added to an application, and the lines that it refused."""

    chats: int = 0
    messages: int = 0
    refused: Collection[Rejection] = ()


def store_portion(
    import_id: int,
    batch: Batch,
    portion: Portion,
    write: Callable[[str, Sequence[Entry]], Added],
) -> list[Rejection]:
    """Store these lines by `write`, in the caller's transaction; returns those that were refused.

    Lines that an earlier attempt stored are skipped, and lines that it refused are returned too.
    """
    token = portion.token
    stored = _lock_share(import_id, token, portion.name, batch)
    earlier = _refused_earlier(import_id, token, batch.before, stored)
    added = write(token, [one for one in portion.entries if one.line.number > stored])
    _add_to_share(import_id, token, max(stored, batch.done), added)
    return [*earlier, *added.refused]


def store_unplaced(import_id: int, batch: Batch, rejections: Collection[Rejection]) -> None:
    """Keep the rejected lines that belong to no application, in the caller's transaction.

    Call it for every batch: its progress tells a rival run that these lines are done.
    """
    stored = _lock_share(import_id, "", "", batch)
    # An earlier run may have rejected a last line without its newline, which has changed since.
    _rejected_lines(import_id, "").filter(line_number__gt=stored).delete()
    new = [one for one in rejections if one.line_number > stored]
    _add_to_share(import_id, "", max(stored, batch.done), Added(refused=new))


def _lock_share(import_id: int, token: str, name: str, batch: Batch) -> int:
    """The number of the last line that is stored, under the lock of the share."""
    share, _ = ImportShare.objects.select_for_update().get_or_create(
        of_id=import_id, application_token=token, defaults={"name": name}
    )
    # A share has no progress of its own in batches that an earlier release stored.
    return max(share.lines_done, batch.before)


def _refused_earlier(import_id: int, token: str, before: int, stored: int) -> list[Rejection]:
    if stored == before:
        return []
    rows = _rejected_lines(import_id, token).filter(line_number__gt=before, line_number__lte=stored)
    return [Rejection(row.line_number, row.reason, bytes(row.raw)) for row in rows]


def _add_to_share(import_id: int, token: str, lines_done: int, added: Added) -> None:
    RejectedLine.objects.bulk_create(
        RejectedLine(
            of_id=import_id,
            application_token=token,
            line_number=one.line_number,
            reason=one.reason,
            raw=one.raw,
        )
        for one in added.refused
    )
    ImportShare.objects.filter(of_id=import_id, application_token=token).update(
        chats=F("chats") + added.chats,
        messages=F("messages") + added.messages,
        lines_done=lines_done,
    )


def _rejected_lines(import_id: int, token: str) -> "QuerySet[RejectedLine]":
    return RejectedLine.objects.filter(of_id=import_id, application_token=token)
