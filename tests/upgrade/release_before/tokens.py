"""The only product function that the copied migrations use."""

from secrets import token_hex


def new_token() -> str:
    """A token as applications have it."""
    return token_hex(12)
