"""Parsing and checking values of the environment: lists, URLs, secrets."""

import re
from urllib.parse import urlsplit

#: The least length of the key that signs sessions.
SECRET_KEY_CHARACTERS = 32
#: A random secret has more different characters.
_FEWEST_DIFFERENT = 5
_PLACEHOLDER = re.compile(r"change.?me|example|insecure|placeholder|random.value", re.IGNORECASE)


def names(value: str) -> list[str]:
    """The items of a list with commas."""
    return [name.strip() for name in value.split(",") if name.strip()]


def checked_url(name: str, value: str, schemes: tuple[str, ...], need_host: tuple[str, ...]) -> str:
    """The URL, or an empty text if none is given. Raises ValueError."""
    if not value:
        return value
    wanted = " or ".join(f"{scheme}://…" for scheme in schemes)
    try:
        parts = urlsplit(value)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError as error:
        raise ValueError(f"{name} is not a URL ({error}); expected {wanted}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"{name} must begin with {wanted}, not {parts.scheme or value!r}")
    if parts.scheme in need_host and not (parts.hostname and port_is_sane):
        raise ValueError(f"{name} names no host: {wanted}")
    if parts.scheme == "mysql" and not parts.path.strip("/"):
        raise ValueError(f"{name} names no database: mysql://user:password@host:3306/database")
    return value


def guessable(secret: str, fewest: int) -> str:
    """Why the secret could be guessed, or an empty text. It needs `fewest` characters."""
    if len(secret) < fewest:
        return f"has only {len(secret)} characters of at least {fewest}"
    if len(set(secret)) < _FEWEST_DIFFERENT:
        return "consists of very few different characters"
    # A text that repeats a shorter one occurs inside its double.
    if secret in (secret + secret)[1:-1]:
        return "repeats a shorter text"
    if _PLACEHOLDER.search(secret):
        return "is a placeholder of an example"
    return ""


def without_password(url: str) -> str:
    """The URL with its password hidden."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    return url.replace(f":{parts.password}@", ":***@")
