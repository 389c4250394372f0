"""An import from its first line to its last: what is done already, and then batch by batch."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from conversations.batches import Batch, batches
from conversations.digests import Running
from conversations.progress import Progress, behind, first_of, open_progress
from conversations.source import Source
from conversations.storing import store
from conversations.targets import Targets


@dataclass
class Outcome:
    """What one run has done so far; `import_id` is None until it has found a first line."""

    import_id: int | None = None
    skipped: int = 0
    messages: int = 0
    rejected: int = 0
    empty: int = 0

    @property
    def lines(self) -> int:
        """The lines that were read, by this run or an earlier one."""
        return self.skipped + self.messages + self.rejected + self.empty

    @property
    def handled(self) -> int:
        """The lines this run has dealt with."""
        return self.lines - self.skipped

    def add(self, batch: Batch) -> None:
        """Count a batch that is stored."""
        self.messages += len(batch.said)
        self.rejected += len(batch.rejected)
        self.empty += batch.empty


class Importing:
    """One run. `outcome` and `lines_done` are right at any time, also after an exception."""

    def __init__(
        self,
        source: Source,
        *,
        undisturbed: Callable[[], AbstractContextManager[object]] = nullcontext,
        notice: Callable[[Batch], object] = lambda _: None,
    ) -> None:
        self.outcome = Outcome()
        self._source = source
        self._undisturbed = undisturbed
        self._notice = notice
        self._progress: Progress | None = None

    @property
    def lines_done(self) -> int:
        """The last line that is stored."""
        return self._progress.lines_done if self._progress else 0

    def run(self, *, restart: bool = False) -> None:
        """Import what is not done yet. Raises what conversations.errors says."""
        first, lines = first_of(self._source.lines())
        if first is None:
            return
        progress = open_progress(self._source, first, restart=restart)
        self._progress = progress
        running = Running()
        rest = behind(progress, lines, running)
        self.outcome.import_id = progress.import_id
        self.outcome.skipped = progress.lines_done
        targets = Targets()
        for batch in batches(rest, progress.lines_done, running):
            with self._undisturbed():
                store(batch, progress, targets)
                self.outcome.add(batch)
            self._notice(batch)
