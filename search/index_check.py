"""Compares the index with the table, while both change, and repairs differences.

A quick pass compares versions and yields suspects, some of which are only in flight. Each suspect
is then rechecked: read its row, wait until the backlog as of that moment is worked off, and only
then read its document. It is a difference if the document is missing or older than that row, or if
the row is missing or older than the document. An erased message counts as missing.

The check is also part of the audit (`audit_index`).
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter

from django.conf import settings
from django.db.models import Max, QuerySet
from django.utils import timezone

from infra.database import in_transaction
from infra.jobs import JobIsRunning, Run, only_run
from infra.natural_keys import behind, in_pieces
from ingest.records import Key
from messages_app.models import Message
from messages_app.records import MESSAGES
from operations.audit.checks import Cursor, Finding, error, info, unreachable
from search import backlog
from search.errors import IndexUnusable
from search.index import versions
from search.index.layout import document_name, layout
from search.index.versions import Versioned
from search.indexer import Workload, index_batch
from search.models import BacklogEntry

JOB = "search-check"
AUDIT_CHECK = "index"
#: How long a check waits for the backlog.
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.1
#: Rows read at a time.
ROWS = 5000
#: Suspects rechecked together.
SUSPECTS = 1000
#: Messages in a sample, from each side.
SAMPLE = 2000
#: The search worker reads the backlog at least every ten seconds, so an older entry is an error.
OVERDUE = timedelta(minutes=5)

_VERSIONED = (*MESSAGES.key_fields, "version")


class StillBehind(Exception):
    """The backlog is not being worked off, so no statement is possible."""

    def __init__(self) -> None:
        super().__init__(f"the backlog was not worked off within {WAIT_SECONDS:.0f} s")


class DifferenceKind(StrEnum):
    """What is wrong with a document."""

    MISSING = "missing"
    OLDER = "older"
    NEWER = "newer"
    EXTRA = "extra"


@dataclass(frozen=True)
class Difference:
    """A message whose document differs from its row."""

    key: Key
    kind: DifferenceKind

    def __str__(self) -> str:
        return f"{document_name(self.key)}: the document is {self.kind}"


def check(on_progress: Callable[[int], object] = lambda _: None) -> Iterator[Difference]:
    """Compare all messages in bounded memory; `on_progress` gets the number of compared keys.

    Raises IndexUnusable, StillBehind, infra.jobs.JobIsRunning.
    """
    with only_run(JOB) as run:
        progress = _Progress(run, on_progress)
        suspects = _suspects(progress)
        while some := list(islice(suspects, SUSPECTS)):
            yield from _recheck(progress, some)


def check_sample() -> list[Difference]:
    """Compare random messages of the table and of the index. Raises what `check` raises."""
    with only_run(JOB) as run:
        progress = _Progress(run, lambda _: None)
        return [
            *_recheck(progress, _random_keys_of_table()),
            *_recheck(progress, versions.random_keys(SAMPLE, seed=random.getrandbits(31))),
        ]


def repair(differences: Sequence[Difference]) -> None:
    """Index these messages again through the backlog, whether a search worker runs or not.

    A document that is newer than its row stays, because versions cannot go back: only a rebuild
    removes it. Raises IndexUnusable.
    """
    keys = [one.key for one in differences if one.kind is not DifferenceKind.NEWER]
    for start in range(0, len(keys), backlog.MAX_KEYS):
        in_transaction(partial(backlog.record, keys[start : start + backlog.MAX_KEYS]))
    while index_batch() is not Workload.NONE:
        pass


def audit_index(cursor: Cursor) -> Iterator[Finding]:
    """The findings of the audit: differences, and a backlog that is not worked off."""
    if not settings.ENVIRONMENT.elasticsearch_url:
        yield info(AUDIT_CHECK, (), "Elasticsearch is switched off: the database answers searches")
        return
    try:
        yield from _overdue_entries()
        found = layout()
        if found.live is None:
            if Message.objects.exists():
                which = (
                    "the index is of another release" if found.outdated else "no index is complete"
                )
                yield info(AUDIT_CHECK, (), f"{which}: the database answers searches")
            return
        yield from _audited_differences(cursor)
    except (IndexUnusable, JobIsRunning) as failure:
        yield unreachable("the search index", failure)
    except StillBehind as behind:
        yield info(AUDIT_CHECK, (), f"comparison incomplete: {behind}")


def _audited_differences(cursor: Cursor) -> Iterator[Finding]:
    compared = 0

    def on_progress(now: int) -> None:
        nonlocal compared
        cursor.reached(None, now - compared)
        compared = now

    for difference in check(on_progress):
        detail = f"message {document_name(difference.key)}: its document is {difference.kind}"
        yield error(AUDIT_CHECK, difference.key[:2], detail)


def _overdue_entries() -> Iterator[Finding]:
    oldest = BacklogEntry.objects.order_by("pk").first()
    if oldest is not None and oldest.recorded_at < timezone.now() - OVERDUE:
        detail = f"changes of {oldest.recorded_at} are not indexed: is the search worker running?"
        yield error(AUDIT_CHECK, (), detail)


@dataclass
class _Progress:
    """A running check, and the number of keys it has compared."""

    run: Run
    on_progress: Callable[[int], object]
    compared: int = 0

    def report(self) -> None:
        """Keep the job and report to the caller; to be called every few seconds."""
        self.run.still_alive()
        self.on_progress(self.compared)


def _suspects(progress: _Progress) -> Iterator[Key]:
    """The keys that the quick pass finds on one side only, or with two versions."""
    versions.refresh()
    both = merge(_all_rows(), versions.all_versions(), key=attrgetter("key"))
    for key, found in groupby(both, key=attrgetter("key")):
        both_versions = [one.version for one in found]
        if len(both_versions) == 1 or both_versions[0] != both_versions[1]:
            yield key
        progress.compared += 1
        if progress.compared % ROWS == 0:
            progress.report()
    progress.report()


def _recheck(progress: _Progress, suspects: Sequence[Key]) -> Iterator[Difference]:
    progress.report()
    before = _versions_in_table(suspects)
    _wait_for_backlog(progress)
    documents = versions.versions_of(suspects)
    after = _versions_in_table(suspects)
    for key in suspects:
        kind = _difference(before.get(key), documents.get(key), after.get(key))
        if kind is not None:
            yield Difference(key, kind)


def _difference(
    before: int | None, document: int | None, after: int | None
) -> DifferenceKind | None:
    """Compare the version of a document with its row's, read before and after the document."""
    if document is None:
        return DifferenceKind.MISSING if before and after else None
    if before and document < before:
        return DifferenceKind.OLDER
    if after is None:
        return None if before else DifferenceKind.EXTRA
    return DifferenceKind.NEWER if document > after else None


def _wait_for_backlog(progress: _Progress) -> None:
    last = backlog.last_id()
    limit = time.monotonic() + WAIT_SECONDS
    while not backlog.is_worked_off(last):
        if time.monotonic() > limit:
            raise StillBehind
        progress.report()
        time.sleep(POLL_SECONDS)


def _versions_in_table(keys: Sequence[Key]) -> Mapping[Key, int]:
    return {
        tuple(key): version
        for wanted in in_pieces(MESSAGES.key_fields, keys)
        for *key, version in _with_documents().filter(wanted).values_list(*_VERSIONED)
    }


def _all_rows() -> Iterator[Versioned]:
    """The table in the order of its natural key, page by page along that index."""
    rows = _with_documents().order_by(*MESSAGES.key_fields).values_list(*_VERSIONED)
    page = rows[:ROWS]
    while found := list(page):
        yield from (Versioned(tuple(key), version) for *key, version in found)
        page = rows.filter(behind(MESSAGES.key_fields, found[-1][:-1]))[:ROWS]


def _random_keys_of_table() -> Sequence[Key]:
    last = Message.objects.aggregate(last=Max("pk"))["last"] or 0
    ids: Iterable[int] = {random.randint(1, last) for _ in range(SAMPLE)} if last else ()  # noqa: S311
    return list(_with_documents().filter(pk__in=ids).values_list(*MESSAGES.key_fields))


def _with_documents() -> "QuerySet[Message]":
    """The messages that have documents: all that are not erased."""
    return Message.objects.filter(erased_at=None)
