"""What OPTIONS says."""

from typing import Any

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request


class NoMetadata(BaseMetadata):
    """Allow, which DRF adds to every answer, and nothing else."""

    def determine_metadata(self, request: Request, view: Any) -> None:
        """No content."""
