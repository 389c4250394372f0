"""What is being waited for, on one line of a terminal; nothing where nobody watches."""

import sys
from collections.abc import Iterable

CLEAR_LINE = "\r\x1b[K"


def show(pending: Iterable[str]) -> None:
    """Replace the line; an empty list removes it."""
    if sys.stderr.isatty():
        names = ", ".join(pending)
        text = f"waiting for {names}" if names else ""
        print(f"{CLEAR_LINE}{text}", end="", file=sys.stderr, flush=True)
