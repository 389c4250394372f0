"""The one function of the product that the copied migrations name."""

from secrets import token_hex


def new_token() -> str:
    """A token as applications have it."""
    return token_hex(12)
