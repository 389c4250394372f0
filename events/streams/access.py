"""What allows a stream to go on, and the bounds on the number of streams of a process."""

import time
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass

from django.conf import settings
from rest_framework.exceptions import Throttled

from events.streams.metrics import OPEN

#: The Retry-After beyond a bound: streams end by themselves, but not soon.
_RETRY_AFTER_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Access:
    """The key or token with which a stream was opened; nothing where no key is required.

    `key_hash` must stay the application's, `operator_key_hash` must stay an operator's.
    `expires_at` is a time of the monotonic clock.
    """

    key_hash: str | None = None
    operator_key_hash: str | None = None
    expires_at: float | None = None

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and time.monotonic() >= self.expires_at

    def is_valid(self, key_hash: str | None, operator_key_hashes: Container[str]) -> bool:
        """Whether the keys that it depends on are still the ones in use."""
        return self.key_hash in (None, key_hash) and (
            self.operator_key_hash is None or self.operator_key_hash in operator_key_hashes
        )


class OpenStreams:
    """The numbers of open streams: in all, by application and by address.

    They change on the event loop alone. A request's thread may read a number that has just changed,
    so a bound is exceeded by a few streams at most.
    """

    def __init__(self) -> None:
        self._by_application: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()
        self._all = 0

    def check(self, token: str, address: str) -> None:
        """Raise Throttled if one more would be too many."""
        environment = settings.ENVIRONMENT
        for count, most, whose in (
            (self._all, environment.web_streams, "this server"),
            (
                self._by_application[token],
                environment.web_streams_per_application,
                "the application",
            ),
            (self._by_address[address], environment.web_streams_per_address, "your address"),
        ):
            if count >= most:
                detail = f"There are too many open streams of {whose}: at most {most}."
                raise Throttled(_RETRY_AFTER_SECONDS, detail)

    def add(self, token: str, address: str) -> None:
        """Count one more."""
        self._count(token, address, 1)

    def remove(self, token: str, address: str) -> None:
        """Count one less."""
        self._count(token, address, -1)

    def _count(self, token: str, address: str, change: int) -> None:
        self._all += change
        OPEN.set(self._all)
        for counts, name in ((self._by_application, token), (self._by_address, address)):
            counts[name] += change
            if not counts[name]:
                del counts[name]


#: Those of this process.
open_streams = OpenStreams()
