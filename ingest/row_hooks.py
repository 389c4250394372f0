"""Row hooks: subscribers get the keys of stored and edited rows, within the same transaction.

What a subscriber writes is committed with the row or not at all, so no row is stored without its
follow-up. Higher layers subscribe here; this layer does not know them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from django.conf import settings

from ingest.records import Key, RecordType

#: Gets the keys of rows of one kind, each at least once, in any order.
Subscriber = Callable[[Sequence[Key]], None]


class _Subscription(NamedTuple):
    subscriber: Subscriber
    setting: str


_subscriptions: defaultdict[str, list[_Subscription]] = defaultdict(list)


def subscribe(kind: str, subscriber: Subscriber, *, setting: str) -> None:
    """Call the subscriber for rows of this kind while this setting of the environment is set."""
    _subscriptions[kind].append(_Subscription(subscriber, setting))


def notify(kind: RecordType, keys: Sequence[Key]) -> None:
    """Call the subscribers: the transaction under way stores, edits or deletes these rows."""
    for subscriber, setting in _subscriptions[kind.name]:
        if getattr(settings.ENVIRONMENT, setting):
            subscriber(keys)
