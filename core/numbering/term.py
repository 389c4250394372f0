"""What a server must have been told before it may give numbers."""

from typing import NamedTuple


class Term(NamedTuple):
    """An epoch, and how often a server was found trustworthy by then.

    Both are in the script's text: a server that was trusted at an earlier time, and then replaced
    by another, does not know the script of now when it comes back.
    """

    epoch: int
    trust: int
