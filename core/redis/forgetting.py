"""What Redis remembers of requests, given up. Raises NoRedis."""

from operator import methodcaller

from core.redis import keys
from core.redis.guard import ask

_SCANNED = 1000


def forget_requests() -> None:
    """Whatever was answered before, the table alone knows of it now."""
    cursor = 0
    while True:
        page = methodcaller("scan", cursor, match=keys.EVERY_REQUEST, count=_SCANNED)
        cursor, names = ask(page)
        if names:
            ask(methodcaller("unlink", *names))
        if not cursor:
            return
