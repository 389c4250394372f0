"""What one request submits: rows of one parent, with consecutive numbers, all of them or none."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.rows import Key, Kind, NewRow


@dataclass(frozen=True)
class Submission:
    """At least one row; all of one kind and one parent."""

    rows: Sequence[NewRow]

    @property
    def kind(self) -> Kind:
        """The kind of the rows."""
        return self.rows[0].kind

    @property
    def parent(self) -> Key:
        """The natural key of their parent."""
        return self.rows[0].parent

    @property
    def size(self) -> int:
        """At most so many bytes."""
        return sum(row.size for row in self.rows)
