"""Building an index from the table, beside the one that answers, while writes and edits go on.

From its first moment the new index gets all changes (search.indexing), and meanwhile the table is
copied in the order of its ids; versions decide where the two meet. So when the copy is complete,
so is the index, and it takes over in one step. How far the copy has come stands in the index: it is
lost together with it, and whoever goes on begins where the one before has stopped.
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
from search.index.documents import Content, contents
from search.index.layout import Role, Target, alias, layout
from search.index.writing import Change
from search.indexing import write_rows

logger = get_logger(__name__)

JOB = "search-build"
ROWS = 1000
KEEP_POSITION_SECONDS = 3.0


@dataclass(frozen=True)
class Copied:
    """How far a copy has come: the ids up to `done`, of those up to `of`."""

    done: int
    of: int


def begin(*, anew: bool = False) -> None:
    """Make an index to be built, unless one is; `anew`: that one is given up.

    Raises IndexUnusable, infra.jobs.JobIsRunning.
    """
    with only_run(JOB):
        _begin(anew=anew)


def go_on(
    is_over: Callable[[], bool] = lambda: False, notice: Callable[[Copied], object] = lambda _: None
) -> bool:
    """Go on with the build until it is complete, or `is_over`; whether it is complete.

    Raises IndexUnusable, NoIndex when nothing is being built, infra.jobs.JobIsRunning.
    """
    with only_run(JOB) as run:
        return _go_on(run, is_over, notice)


def rebuild(*, anew: bool, notice: Callable[[Copied], object]) -> None:
    """Both in one run, so that nobody else goes on with what was just begun. Raises as they do."""
    with only_run(JOB) as run:
        _begin(anew=anew)
        _go_on(run, lambda: False, notice)


def _begin(*, anew: bool) -> None:
    found = layout().build
    if found is not None:
        if not anew:
            return
        lifecycle.remove(found)
    name = settings.ENVIRONMENT.elasticsearch_index
    name = f"{name}-{timezone.now():%Y%m%d%H%M%S}-{uuid4().hex[:6]}"
    lifecycle.clear_away()
    lifecycle.create(name)
    logger.warning(Event.INDEX_BUILT, index=name)


def _go_on(run: Run, is_over: Callable[[], bool], notice: Callable[[Copied], object]) -> bool:
    index = layout().build
    if index is None:
        raise NoIndex("no index is being built")
    if not _copy(run, index, is_over, notice):
        return False
    lifecycle.put_in_place(index)
    lifecycle.clear_away()
    logger.warning(Event.INDEX_COMPLETE, index=index)
    return True


def _copy(
    run: Run, index: str, is_over: Callable[[], bool], notice: Callable[[Copied], object]
) -> bool:
    """Copy the rows there are now; later ones come by the backlog. Whether that was completed."""
    target = Target(alias(Role.BUILD), index)
    copied = Copied(lifecycle.copied_up_to(index), _last_id())
    kept_at = time.monotonic()
    while rows := _rows(copied):
        write_rows([Change(row.key, row) for row in rows], [target])
        copied = replace(copied, done=rows[-1].id)
        run.still_alive()
        notice(copied)
        ends = is_over()
        if ends or time.monotonic() - kept_at > KEEP_POSITION_SECONDS:
            lifecycle.keep_position(index, copied.done)
            kept_at = time.monotonic()
        if ends:
            return False
    return True


def _rows(copied: Copied) -> list[Content]:
    """The next ones."""
    rest = Message.objects.filter(pk__gt=copied.done, pk__lte=copied.of)
    return list(contents(rest.order_by("pk")[:ROWS]))


def _last_id() -> int:
    return Message.objects.aggregate(last=Max("pk"))["last"] or 0
