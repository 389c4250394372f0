"""A rate as an operator writes it, and in the whole numbers that are counted with."""

import re
from dataclasses import dataclass
from functools import cache

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"([1-9][0-9]{0,6})/([smh])", re.ASCII)
#: As many an hour are counted exactly in the floating point numbers of Lua.
_MAX_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds, as a burst or spread out."""

    limit: int
    unit: str

    def __str__(self) -> str:
        return f"{self.limit}/{self.unit}"

    @property
    def cost(self) -> int:
        """What one request owes: paid off at `limit` a microsecond, `limit` of them in the time."""
        return _SECONDS[self.unit] * 1_000_000

    @property
    def capacity(self) -> int:
        """What a client may owe at most."""
        return self.limit * self.cost


@cache
def parse_rate(text: str) -> Rate:
    """The rate. Raises ValueError with a sentence."""
    found = _RATE.fullmatch(text)
    if not found or int(found[1]) > _MAX_LIMIT:
        raise ValueError(
            f"a rate is a number from 1 to {_MAX_LIMIT} and s, m or h, "
            f"such as 100/s or 5000/m, not {text!r}"
        )
    return Rate(int(found[1]), found[2])
