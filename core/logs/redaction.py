"""Secrets of this installation, which no line may tell."""

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
#: A shorter one would be found in half of all words.
MIN_CHARACTERS = 4


def passwords(urls: Iterable[str]) -> Iterable[str]:
    """Those of these URLs, as they are written there and as they are meant."""
    for url in urls:
        written = urlsplit(url).password or ""
        yield from (written, unquote(written))


class Redaction:
    """Hides these secrets in any text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long_first = sorted({*secrets}, key=len, reverse=True)
        known = [re.escape(secret) for secret in long_first if len(secret) >= MIN_CHARACTERS]
        self._pattern = re.compile("|".join(known)) if known else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text
