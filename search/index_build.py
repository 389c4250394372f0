"""Builds a new index from the table, beside the live one, while messages are written and edited.

From its creation the new index receives all changes (search.indexer). Meanwhile the table is
copied in the order of ids, and document versions resolve conflicts between the two. When the copy
is complete, so is the index, and it replaces the live one in one step. The position of the copy is
stored in the index itself: it is lost only together with the index, and the next run resumes there.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import uuid4

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from infra.jobs import Run, only_run
from infra.logs import Event, get_logger
from messages_app.models import Message
from search.errors import NoIndex
from search.index import lifecycle
from search.index.bulk_writing import Change, write_changes
from search.index.documents import Content, contents
from search.index.layout import Role, Target, alias, layout

logger = get_logger(__name__)

JOB = "search-build"
#: Rows copied at a time.
ROWS = 1000
SAVE_POSITION_SECONDS = 3.0


@dataclass(frozen=True)
class CopyProgress:
    """The position of a copy: row ids up to `done` are copied, of those up to `total`."""

    done: int
    total: int


def begin(*, anew: bool = False) -> None:
    """Create a build index unless there is one; with `anew`, discard that one first.

    Raises IndexUnusable, infra.jobs.JobIsRunning.
    """
    with only_run(JOB):
        _begin(anew=anew)


def resume(
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[CopyProgress], object] = lambda _: None,
) -> bool:
    """Continue the build until it is complete or `should_stop` returns true; True if complete.

    Raises IndexUnusable, NoIndex if nothing is being built, infra.jobs.JobIsRunning.
    """
    with only_run(JOB) as run:
        return _resume(run, should_stop, on_progress)


def rebuild(*, anew: bool, on_progress: Callable[[CopyProgress], object]) -> None:
    """Begin and complete a build in one run, which no other process can take over in between.

    Raises what `begin` and `resume` raise.
    """
    with only_run(JOB) as run:
        _begin(anew=anew)
        _resume(run, lambda: False, on_progress)


def _begin(*, anew: bool) -> None:
    found = layout()
    if found.build is not None:
        if not anew:
            return
        lifecycle.remove(found.build)
    if found.outdated and found.live is None:
        logger.warning(Event.INDEX_OUTDATED, index=", ".join(sorted(set(found.outdated.values()))))
    name = settings.ENVIRONMENT.elasticsearch_index
    name = f"{name}-{timezone.now():%Y%m%d%H%M%S}-{uuid4().hex[:6]}"
    lifecycle.remove_unused()
    lifecycle.create(name)
    logger.warning(Event.INDEX_BUILT, index=name)


def _resume(
    run: Run, should_stop: Callable[[], bool], on_progress: Callable[[CopyProgress], object]
) -> bool:
    index = layout().build
    if index is None:
        raise NoIndex("no index is being built")
    if not _copy(run, index, should_stop, on_progress):
        return False
    lifecycle.make_live(index)
    lifecycle.remove_unused()
    logger.warning(Event.INDEX_COMPLETE, index=index)
    return True


def _copy(
    run: Run,
    index: str,
    should_stop: Callable[[], bool],
    on_progress: Callable[[CopyProgress], object],
) -> bool:
    """Copy the rows that exist now; the backlog brings later ones. True if completed."""
    target = Target(alias(Role.BUILD), index)
    progress = CopyProgress(lifecycle.copied_up_to(index), _last_id())
    saved_at = time.monotonic()
    while rows := _next_rows(progress):
        write_changes([Change(row.key, row) for row in rows], [target])
        progress = replace(progress, done=rows[-1].id)
        run.still_alive()
        on_progress(progress)
        stops = should_stop()
        if stops or time.monotonic() - saved_at > SAVE_POSITION_SECONDS:
            lifecycle.save_position(index, progress.done)
            saved_at = time.monotonic()
        if stops:
            return False
    return True


def _next_rows(progress: CopyProgress) -> list[Content]:
    rest = Message.objects.filter(pk__gt=progress.done, pk__lte=progress.total)
    return list(contents(rest.filter(erased_at=None).order_by("pk")[:ROWS]))


def _last_id() -> int:
    return Message.objects.aggregate(last=Max("pk"))["last"] or 0
