"""What can go wrong with chats."""

from infra.errors import NotFound


class ChatNotFound(NotFound):
    """The application has no chat of this number."""

    def __init__(self) -> None:
        super().__init__("There is no such chat.")
