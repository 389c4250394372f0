"""What can go wrong, as one sentence for the person at the terminal."""


class StackError(Exception):
    """A command cannot do what was asked; the message says why and where to look."""
