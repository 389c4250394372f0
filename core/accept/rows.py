"""What is accepted: a row that has everything but its number."""

from abc import ABC, abstractmethod
from datetime import datetime

from django.db.models import Model, QuerySet

from core.errors import NotFound
from core.models import Parent

ParentKey = tuple[str, str, int]


class NewRow(ABC):
    """A chat or message that asks its parent for the next number."""

    @staticmethod
    @abstractmethod
    def parent_missing() -> NotFound:
        """What is raised when the parent does not exist."""

    @property
    @abstractmethod
    def parent_key(self) -> ParentKey:
        """The parent's table and natural key; parents are locked in the order of these."""

    @property
    @abstractmethod
    def size(self) -> int:
        """About how many bytes the row takes."""

    @abstractmethod
    def parent(self) -> "QuerySet[Parent]":
        """The one row of the parent."""

    @abstractmethod
    def numbered(self, number: int, accepted_at: datetime) -> Model:
        """The row with its number, not stored yet."""
