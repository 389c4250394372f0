"""Whether index and table hold the same messages in the same versions, while both go on changing.

What looks different at a glance may only be under way. So each suspect is judged: its row is read,
then the backlog of that moment is waited for, and only then its document. A document that is still
older than that row, or missing, is a difference; so is one whose row is not there, or older.

Mending what a check has found, by the ordinary way: the backlog.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter

from django.db.models import Max

from infra.database import in_transaction
from infra.jobs import Run, only_run
from infra.natural_keys import behind, in_pieces
from ingest.records import Key
from messages_app.models import Message
from messages_app.records import MESSAGES
from search import backlog
from search.index import reading
from search.index.layout import document_name
from search.index.reading import Versioned
from search.indexing import Workload, index_some

JOB = "search-check"
WAIT_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.1
ROWS = 5000
SUSPECTS = 1000
SAMPLE = 2000


class StillBehind(Exception):
    """The backlog is not being worked off, so nothing can be said."""

    def __init__(self) -> None:
        super().__init__(f"the backlog is not worked off within {WAIT_SECONDS:.0f} s")


class DifferenceKind(StrEnum):
    """What is different about a document."""

    MISSING = "missing"
    OLDER = "older"
    NEWER = "newer"
    EXTRA = "extra"


@dataclass(frozen=True)
class Difference:
    """A message of which the index has something else than the table."""

    key: Key
    kind: DifferenceKind

    def __str__(self) -> str:
        return f"{document_name(self.key)}: the document is {self.kind}"


def check(notice: Callable[[int], object] = lambda _: None) -> Iterator[Difference]:
    """Compare everything, in bounded memory; `notice` gets the number of keys passed by then.

    Raises IndexUnusable, StillBehind, infra.jobs.JobIsRunning.
    """
    with only_run(JOB) as run:
        under_way = _UnderWay(run, notice)
        suspects = _suspects(under_way)
        while some := list(islice(suspects, SUSPECTS)):
            yield from _judged(under_way, some)


def check_sample() -> list[Difference]:
    """Compare some messages of the table and some of the index, by chance. Raises as above."""
    with only_run(JOB) as run:
        under_way = _UnderWay(run, lambda _: None)
        return [
            *_judged(under_way, _some_keys_of_the_table()),
            *_judged(under_way, reading.some_keys(SAMPLE, seed=random.getrandbits(31))),
        ]


@dataclass
class _UnderWay:
    """A check that goes on, and how many keys it has passed."""

    run: Run
    notice: Callable[[int], object]
    passed: int = 0

    def go_on(self) -> None:
        """Hold on to the job and tell the caller; to be called every few seconds."""
        self.run.still_alive()
        self.notice(self.passed)


def _judged(under_way: _UnderWay, suspects: Sequence[Key]) -> Iterator[Difference]:
    under_way.go_on()
    before = _versions_in_table(suspects)
    _wait_for_backlog(under_way)
    documents = reading.versions_of(suspects)
    after = _versions_in_table(suspects)
    for key in suspects:
        kind = _difference(before.get(key), documents.get(key), after.get(key))
        if kind is not None:
            yield Difference(key, kind)


def _difference(
    before: int | None, document: int | None, after: int | None
) -> DifferenceKind | None:
    """By the versions of a document, and of its row before and after that was looked at."""
    if document is None:
        return DifferenceKind.MISSING if before and after else None
    if before and document < before:
        return DifferenceKind.OLDER
    if after is None:
        return None if before else DifferenceKind.EXTRA
    return DifferenceKind.NEWER if document > after else None


def _wait_for_backlog(under_way: _UnderWay) -> None:
    last = backlog.last_id()
    limit = time.monotonic() + WAIT_SECONDS
    while not backlog.is_worked_off(last):
        if time.monotonic() > limit:
            raise StillBehind
        under_way.go_on()
        time.sleep(LOOK_EVERY_SECONDS)


def _versions_in_table(keys: Sequence[Key]) -> Mapping[Key, int]:
    return {
        tuple(key): version
        for wanted in in_pieces(MESSAGES.key_fields, keys)
        for *key, version in Message.objects.filter(wanted).values_list(*_VERSIONED)
    }


def _suspects(under_way: _UnderWay) -> Iterator[Key]:
    """The keys that are on one side only or in two versions, at a glance."""
    reading.refresh()
    both = merge(_all_rows(), reading.all_versions(), key=attrgetter("key"))
    for key, found in groupby(both, key=attrgetter("key")):
        versions = [one.version for one in found]
        if len(versions) == 1 or versions[0] != versions[1]:
            yield key
        under_way.passed += 1
        if under_way.passed % ROWS == 0:
            under_way.go_on()
    under_way.go_on()


def _all_rows() -> Iterator[Versioned]:
    """The table in the order of its natural key, page by page along that index."""
    rows = Message.objects.order_by(*MESSAGES.key_fields).values_list(*_VERSIONED)
    page = rows[:ROWS]
    while found := list(page):
        yield from (Versioned(tuple(key), version) for *key, version in found)
        page = rows.filter(behind(MESSAGES.key_fields, found[-1][:-1]))[:ROWS]


def _some_keys_of_the_table() -> Sequence[Key]:
    last = Message.objects.aggregate(last=Max("pk"))["last"] or 0
    ids: Iterable[int] = {random.randint(1, last) for _ in range(SAMPLE)} if last else ()  # noqa: S311
    return list(Message.objects.filter(pk__in=ids).values_list(*MESSAGES.key_fields))


_VERSIONED = (*MESSAGES.key_fields, "version")


def repair(differences: Sequence[Difference]) -> None:
    """Index these messages anew, whether a search worker runs or not.

    A document that is newer than its row stays: versions cannot go back, so that takes a rebuild.
    Raises IndexUnusable.
    """
    keys = [one.key for one in differences if one.kind is not DifferenceKind.NEWER]
    for start in range(0, len(keys), backlog.MAX_KEYS):
        _record(keys[start : start + backlog.MAX_KEYS])
    while index_some() is not Workload.NONE:
        pass


def _record(keys: Sequence[Key]) -> None:
    in_transaction(partial(backlog.record, keys))
