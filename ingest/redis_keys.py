"""The names of all Redis keys.

The token in braces is a hash tag: in a cluster the keys of one application lie together. A group
needs one call for several applications, though, so numbering needs a single server.
"""

from collections.abc import Sequence

FENCE = "fence"
EPOCH = "epoch"
PENDING_PARENTS = "pending"
#: Pattern of all `pending` keys.
EVERY_PENDING = "pending:*"
#: Pattern of all `block` keys.
EVERY_BLOCK = "block:*"
#: Pattern of all `request` keys.
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


def block(name: str) -> str:
    """The hash with the parent's block of numbers."""
    return f"block:{_tagged(name)}"


def pending(name: str) -> str:
    """The sorted set of the parent's pending rows, by number."""
    return f"pending:{_tagged(name)}"


def dirty(kind: str) -> str:
    """The set of parents whose count of such rows may have changed."""
    return f"dirty:{kind}"


def dirty_taken(kind: str) -> str:
    """The same flags while the count job takes them over."""
    return f"dirty:{kind}:taken"


def progress(kind: str) -> str:
    """When the rows that the workers stored last were accepted, by Redis's clock."""
    return f"progress:{kind}"


def attempt(acceptance: str) -> str:
    """Exists while a row that may kill its worker is being stored."""
    return f"attempt:{acceptance}"


def request(token: str, name: str) -> str:
    """The record of an idempotent request to this application; kept for a day."""
    return f"request:{{{token}}}/{name}"


def key_holder(key_hash: str) -> str:
    """The holder of the key with this hash, and the epoch in which that was read."""
    return f"key:{key_hash}"


def revoked_key(key_hash: str) -> str:
    """Exists if the key with this hash was revoked."""
    return f"key:{key_hash}:revoked"


def debt(rate: str, name: str) -> bytes:
    """The debt of this client at this rate limit."""
    return f"owing:{rate}:{name}".encode("utf-8", "backslashreplace")


def parent_of_key(key: str) -> str:
    """The parent's name in a key."""
    _, _, name = key.partition(":")
    return name.replace("{", "").replace("}", "")


def _tagged(name: str) -> str:
    token, *numbers = name.split("/")
    return "/".join([f"{{{token}}}", *numbers])
