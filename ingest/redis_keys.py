"""The names of all Redis keys.

Each begins with the tag of its shard (infra.redis_client). The token in braces is of a time when
each application was to lie together in a cluster; in a name with a tag it means nothing.
"""

from collections.abc import Sequence

from infra.redis_client import Shard, shard_of

#: Patterns, behind the tag of a shard.
EVERY_BLOCK = "block:*"
EVERY_PENDING = "pending:*"
EVERY_REQUEST = "request:*"
#: The channel of wake-ups; a message is the tokens of applications, separated by spaces.
EVENTS_CHANNEL = "events"


def parent_name(parent: Sequence[str | int]) -> str:
    """The name of a parent: `TOKEN` numbers chats, `TOKEN/3` numbers messages."""
    return "/".join(map(str, parent))


def parent_key(name: str) -> tuple[str | int, ...]:
    """The natural key in a parent's name."""
    token, *numbers = name.split("/")
    return (token, *map(int, numbers))


def shard_of_parent(name: str) -> Shard:
    """The shard of a parent, by its name."""
    return shard_of(name.partition("/")[0])


def fence(shard: Shard) -> str:
    """The counter that each group raises."""
    return f"{shard.tag}fence"


def epoch(shard: Shard) -> str:
    """The epoch in which numbers were given last."""
    return f"{shard.tag}epoch"


def pending_parents(shard: Shard) -> str:
    """The index of parents with pending rows."""
    return f"{shard.tag}pending"


def block(name: str) -> str:
    """The hash with the parent's block of numbers."""
    return _of_parent("block", name)


def pending(name: str) -> str:
    """The sorted set of the parent's pending rows, by number."""
    return _of_parent("pending", name)


def dirty(shard: Shard, kind: str) -> str:
    """The set of parents whose count of such rows may have changed."""
    return f"{shard.tag}dirty:{kind}"


def dirty_taken(shard: Shard, kind: str) -> str:
    """The same flags while the count job takes them over."""
    return f"{shard.tag}dirty:{kind}:taken"


def progress(shard: Shard, kind: str) -> str:
    """When the rows that the workers stored last were accepted, by Redis's clock."""
    return f"{shard.tag}progress:{kind}"


def attempt(shard: Shard, acceptance: str) -> str:
    """Exists while a row that may kill its worker is being stored."""
    return f"{shard.tag}attempt:{acceptance}"


def request(token: str, name: str) -> str:
    """The record of an idempotent request to this application; kept for a day."""
    return f"{shard_of(token).tag}request:{{{token}}}/{name}"


def key_holder(key_hash: str) -> str:
    """The holder of the key with this hash, and the epoch in which that was read."""
    return f"{shard_of(key_hash).tag}key:{key_hash}"


def revoked_key(key_hash: str) -> str:
    """Exists if the key with this hash was revoked."""
    return f"{key_holder(key_hash)}:revoked"


def debt(rate: str, name: str) -> bytes:
    """The debt of this client at this rate limit."""
    return f"{shard_of(name).tag}owing:{rate}:{name}".encode("utf-8", "backslashreplace")


def parent_of_key(key: str) -> str:
    """The parent's name in a key."""
    _, _, name = key.partition(":")
    return name.replace("{", "").replace("}", "")


def _of_parent(kind: str, name: str) -> str:
    token, *numbers = name.split("/")
    return shard_of(token).tag + f"{kind}:" + "/".join([f"{{{token}}}", *numbers])
