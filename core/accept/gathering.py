"""The rows of one group, and what has become of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.db.models import Model

from core.rows import Key, NewRow, NumberedRow


class Gathering:
    """Rows that wait for a number until they are settled, each once."""

    def __init__(self, rows: Sequence[NewRow]) -> None:
        self.rows = rows
        self._settled: dict[int, Model | Exception | NumberedRow] = {}

    def waiting(self) -> list[int]:
        """The positions of the rows that have no outcome yet."""
        return [position for position in range(len(self.rows)) if position not in self._settled]

    def waiting_by_parent(self) -> Mapping[Key, list[int]]:
        """The same by parent, each in the order of arrival."""
        by_parent: defaultdict[Key, list[int]] = defaultdict(list)
        for position in self.waiting():
            by_parent[self.rows[position].parent].append(position)
        return by_parent

    def settle(self, position: int, outcome: Model | Exception | NumberedRow) -> None:
        """This row has its number, is stored, or has failed."""
        self._settled[position] = outcome

    def fail(self, error: Exception) -> None:
        """All that still waits ends with this error."""
        for position in self.waiting():
            self._settled[position] = error

    def numbered(self) -> list[NumberedRow]:
        """The rows that have a number and are to be delivered."""
        return [one for one in self._settled.values() if isinstance(one, NumberedRow)]

    def undelivered(self, error: Exception) -> None:
        """The rows that have a number could not be delivered now."""
        for position, outcome in self._settled.items():
            if isinstance(outcome, NumberedRow):
                self._settled[position] = error

    def outcomes(self) -> list[Model | Exception]:
        """What each request is told, in the order given."""
        return [
            outcome.instance() if isinstance(outcome, NumberedRow) else outcome
            for _, outcome in sorted(self._settled.items())
        ]
