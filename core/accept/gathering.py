"""The submissions of one group, and what has become of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.accept.submission import Submission
from core.rows import Key, NumberedRow


class Gathering:
    """Submissions that wait for numbers until they are settled, each once and as a whole."""

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self.submissions = submissions
        self._stored: dict[int, Sequence[NumberedRow]] = {}
        self._numbered: dict[int, Sequence[NumberedRow]] = {}
        self._failed: dict[int, Exception] = {}

    def waiting(self) -> list[int]:
        """The positions of the submissions that have no outcome yet."""
        settled = {*self._stored, *self._numbered, *self._failed}
        return [place for place in range(len(self.submissions)) if place not in settled]

    def waiting_by_parent(self) -> Mapping[Key, list[int]]:
        """The same by parent, each in the order of arrival."""
        by_parent: defaultdict[Key, list[int]] = defaultdict(list)
        for position in self.waiting():
            by_parent[self.submissions[position].parent].append(position)
        return by_parent

    def store(self, position: int, rows: Sequence[NumberedRow]) -> None:
        """These rows are numbered and stored."""
        self._stored[position] = rows

    def number(self, position: int, rows: Sequence[NumberedRow]) -> None:
        """These rows have their numbers, and are to be delivered."""
        self._numbered[position] = rows

    def fail(self, position: int, error: Exception) -> None:
        """This submission ends with this error."""
        self._failed[position] = error

    def fail_waiting(self, error: Exception) -> None:
        """All that still waits ends with this error."""
        self._failed |= dict.fromkeys(self.waiting(), error)

    def numbered(self) -> list[NumberedRow]:
        """The rows that have a number and are to be delivered."""
        return [row for rows in self._numbered.values() for row in rows]

    def undelivered(self, error: Exception) -> None:
        """The rows that have a number could not be delivered now."""
        self._failed |= dict.fromkeys(self._numbered, error)
        self._numbered.clear()

    def outcomes(self) -> list[Sequence[NumberedRow] | Exception]:
        """What each request is told, in the order given; all must be settled."""
        outcomes: dict[int, Sequence[NumberedRow] | Exception] = {
            **self._stored,
            **self._numbered,
            **self._failed,
        }
        return [outcomes[position] for position in range(len(self.submissions))]
