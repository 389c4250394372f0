"""docs/reliability.md: what a command writes there is between two markers that name it."""

from collections.abc import Sequence

from chaos.stack import ROOT

_PAGE = ROOT / "docs" / "reliability.md"


def put(command: str, lines: Sequence[str]) -> None:
    """Instead of what this command wrote there before."""
    begin, end = f"<!-- written by {command} -->", "<!-- to here -->"
    before, found, rest = _PAGE.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{_PAGE} has no part between {begin} and {end}")
    _PAGE.write_text("\n".join([f"{before}{begin}", "", *lines, "", f"{end}{after}"]))
