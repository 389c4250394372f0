"""Who follows the rows: told of each that is stored or edited, within the transaction that does it.

What a follower writes then is there if the row is, and else never was; so nothing is stored and
never followed up. A higher layer registers here, and this layer knows nothing of it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from ingest.records import Key, RecordType

#: Is given the keys of rows of one kind, each at least once, in no order.
Subscriber = Callable[[Sequence[Key]], None]

_subscribers: defaultdict[str, list[Subscriber]] = defaultdict(list)


def subscribe(kind: str, follower: Subscriber) -> None:
    """From now on the follower is told of rows of the kind of this name."""
    _subscribers[kind].append(follower)


def notify(kind: RecordType, keys: Sequence[Key]) -> None:
    """These rows are stored or edited by the transaction under way."""
    for follower in _subscribers[kind.name]:
        follower(keys)
