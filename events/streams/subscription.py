"""Hears the wake-ups of other processes through Redis, in a thread of its own."""

import time
from collections.abc import Callable, Collection
from contextlib import closing
from threading import Event as Flag
from threading import Thread
from typing import Any

import redis

from infra.logs import Event, get_logger
from infra.redis_client import RedisUnavailable, any_server, redis_is_configured
from infra.timeouts import STREAMS_LOOK_SECONDS
from ingest import redis_keys

logger = get_logger(__name__)

#: After this many looks in a row that found events without a wake-up, it subscribes again.
_MISSED_LOOKS = 3


class Subscription:
    """Calls `heard` with the tokens of each wake-up. Without Redis it does nothing."""

    def __init__(self, heard: Callable[[Collection[str]], object]) -> None:
        self._heard = heard
        self._is_doubtful = Flag()
        self._missed = 0

    def start(self) -> None:
        """Start the thread, which ends with the process."""
        if redis_is_configured():
            Thread(target=self._run, name="wake-ups", daemon=True).start()

    def note(self, missed: int) -> None:
        """Note for how many applications a look found events without a wake-up."""
        self._missed = self._missed + 1 if missed else 0
        if self._missed >= _MISSED_LOOKS:
            self._missed = 0
            self._is_doubtful.set()

    def _run(self) -> None:
        is_away = False
        while True:
            try:
                self._listen()
                is_away = False
            except (redis.RedisError, RedisUnavailable) as error:
                if not is_away:
                    logger.warning(Event.STREAMS_DEAF, error=error)
                is_away = True
            time.sleep(STREAMS_LOOK_SECONDS)

    def _listen(self) -> None:
        """Listen until the connection is in doubt. Raises redis.RedisError."""
        client: Any = any_server().client  # redis-py has no type for this call
        with closing(client.pubsub(ignore_subscribe_messages=True)) as subscription:
            subscription.subscribe(redis_keys.EVENTS_CHANNEL)
            self._is_doubtful.clear()
            while not self._is_doubtful.is_set():
                message = subscription.get_message(timeout=STREAMS_LOOK_SECONDS)
                if message is not None:
                    self._heard(message["data"].decode().split())
        logger.warning(Event.STREAMS_DEAF, error="no wake-ups arrive: subscribing again")
