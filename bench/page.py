"""Pages that a command writes into, between two markers that name it."""

from collections.abc import Sequence
from pathlib import Path


def put(page: Path, command: str, lines: Sequence[str]) -> None:
    """Instead of what this command wrote there before. Raises ValueError without its markers."""
    begin, end = f"<!-- written by {command} -->", "<!-- to here -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page} has no part between {begin} and {end}")
    page.write_text("\n".join([f"{before}{begin}", "", *lines, "", f"{end}{after}"]))
