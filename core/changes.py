"""Who follows the rows: told of each that is stored or edited, within the transaction that does it.

What a follower writes then is there if the row is, and else never was; so nothing is stored and
never followed up. A higher layer registers here, and this layer knows nothing of it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from core.rows import Key, Kind

#: Is given the keys of rows of one kind, each at least once, in no order.
Follower = Callable[[Sequence[Key]], None]

_followers: defaultdict[str, list[Follower]] = defaultdict(list)


def follow(kind: str, follower: Follower) -> None:
    """From now on the follower is told of rows of the kind of this name."""
    _followers[kind].append(follower)


def tell(kind: Kind, keys: Sequence[Key]) -> None:
    """These rows are stored or edited by the transaction under way."""
    for follower in _followers[kind.name]:
        follower(keys)
