"""Whether Redis takes the writes by which rows are numbered; a ping does not tell.

A replica, a server without its replicas, one whose disk or memory is full and one whose permissions
were changed all answer, and refuse to write.
"""

from pathlib import Path
from uuid import uuid4

import redis

from core.redis.keys import trial

_SCRIPT = (Path(__file__).parent / "trial.lua").read_text()
_KEYS = ("counter", "hash", "sorted", "set")


def try_to_write(server: redis.Redis) -> None:
    """Write and forget, by a script as numbering does. Raises redis.RedisError."""
    name = uuid4().hex
    server.register_script(_SCRIPT)(keys=[trial(name, each) for each in _KEYS])
