"""Wake-ups: after a commit they tell listeners which applications have new events.

Listeners of this process are called directly. Other processes get one message through Redis for
each transaction. A wake-up can be lost, so nothing may depend on it: each listener also looks at
the table now and then.
"""

from collections.abc import Callable, Collection
from contextlib import suppress

from django.conf import settings

from infra.redis_client import RedisUnavailable, ask_redis, shard_of
from ingest import redis_keys

#: Called with the tokens of applications that have new events. They must return at once.
listeners: list[Callable[[Collection[str]], object]] = []


def wake(tokens: Collection[str]) -> None:
    """Tell this process and the others that these applications have new events."""
    for listener in listeners:
        listener(tokens)
    if settings.ENVIRONMENT.redis_url:
        with suppress(RedisUnavailable):
            # Nodes of a cluster pass it on to all others.
            shard, text = shard_of(next(iter(tokens))), " ".join(tokens)
            ask_redis(shard, lambda server: server.publish(redis_keys.EVENTS_CHANNEL, text))
