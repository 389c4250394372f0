"""Attempts that are counted for some minutes, by all processes together where there is a Redis.

An attempt is counted in Django's cache before it is judged, so a hundred at once do not pass one
limit together. One that succeeds is given back. Without Redis, or while it is away, each process
counts alone.
"""

from collections.abc import Iterator
from hashlib import blake2b

from django.core.cache import BaseCache, caches

from core.redis.client import is_configured
from core.redis.guard import breaker

#: A window opens with the first attempt of its name.
WINDOW_SECONDS = 300
#: The cache of this process alone (settings.CACHES).
PROCESS = "process"


def count(name: str) -> int:
    """Count one attempt under this name; how many there were in the window, this one included."""
    for cache in _caches():
        found = _count(cache, _key(name))
        if found:
            return found
    return 1


def give_back(name: str) -> None:
    """Take back an attempt that was counted."""
    for cache in _caches():
        if _add(cache, _key(name), -1):
            return


def _caches() -> Iterator[BaseCache]:
    """Where to count, the best first."""
    if is_configured() and not breaker().is_open:
        yield caches["default"]
    yield caches[PROCESS]


def _count(cache: BaseCache, key: str) -> int | None:
    """None where the cache cannot be asked, or has something else there."""
    if cache.add(key, 1, timeout=WINDOW_SECONDS):
        return 1
    return _add(cache, key, 1)


def _add(cache: BaseCache, key: str, number: int) -> int | None:
    try:
        return cache.incr(key, number)
    except (TypeError, ValueError):  # no such key any more, or no number
        return None


def _key(name: str) -> str:
    """A digest: of a fixed length, and without the text that a client has sent."""
    return f"attempts:{blake2b(name.encode(errors='replace'), digest_size=16).hexdigest()}"
