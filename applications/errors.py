"""What can go wrong with applications."""

from infra.errors import NotFound


class ApplicationNotFound(NotFound):
    """No application has this token."""

    def __init__(self) -> None:
        super().__init__("There is no such application.")
