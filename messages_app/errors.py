"""What can go wrong with messages."""

from infra.errors import NotFound


class MessageNotFound(NotFound):
    """The chat has no message of this number."""

    def __init__(self) -> None:
        super().__init__("There is no such message.")
