"""Digests: of names that are looked up, and of lines that were done."""

from hashlib import sha256

from conversations.lines import Line


class Running:
    """The digest of all lines so far, in their order."""

    def __init__(self) -> None:
        self._digest = sha256()

    def add(self, line: Line) -> None:
        """Go on by one line."""
        self._digest.update(line.digest)

    def hex(self) -> str:
        """The digest as it is kept."""
        return self._digest.hexdigest()


def digest_of(*names: str) -> str:
    """The key of names that may be too long, or too much alike, for an index.

    No name contains a NUL, so no two lists of names run together alike.
    """
    return sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()
