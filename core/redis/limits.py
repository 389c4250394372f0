"""What clients owe for their requests, by Redis's clock and for all processes together.

The arithmetic is that of core.limits.gcra, which tells what the numbers mean.
"""

from collections.abc import Mapping
from hashlib import sha1
from pathlib import Path
from typing import Any

import redis

from core.redis import keys
from core.redis.guard import ask

_SCRIPT = (Path(__file__).parent / "limits.lua").read_text()
_DIGEST = sha1(_SCRIPT.encode()).hexdigest()  # noqa: S324 - Redis' choice


def charge(rate: str, limit: int, cost: int, counts: Mapping[str, int]) -> dict[str, int]:
    """Count so many requests of each name; what each owed before. One round trip, or NoRedis.

    Who counts by another rate counts apart.
    """
    names = [keys.owing(rate, name) for name in counts]
    arguments = [len(names), *names, limit, cost, *counts.values()]

    def send(server: Any) -> Any:
        try:
            return server.evalsha(_DIGEST, *arguments)
        except redis.exceptions.NoScriptError:
            return server.eval(_SCRIPT, *arguments)

    return dict(zip(counts, ask(send), strict=True))
