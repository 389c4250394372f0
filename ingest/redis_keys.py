"""The names of all keys, in one place.

The token in braces is a hash tag, so that what belongs to one application would lie together in a
cluster. A group's one call spans applications, though, so what is needed is one server.
"""

from collections.abc import Sequence

FENCE = "fence"
EPOCH = "epoch"
PENDING_PARENTS = "pending"
#: What the names of all `pending` match.
EVERY_PENDING = "pending:*"
#: What the names of all `request` match.
EVERY_REQUEST = "request:*"


def parent_name(parent: Sequence[str | int]) -> str:
    """A parent by its natural key: `TOKEN` numbers chats, `TOKEN/3` numbers messages."""
    return "/".join(map(str, parent))


def parent_key(name: str) -> tuple[str | int, ...]:
    """The natural key of a parent's name."""
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
    """When the rows were accepted that the workers stored last, in Redis's time."""
    return f"progress:{kind}"


def attempt(acceptance: str) -> str:
    """There while a row that may have killed its worker is being stored."""
    return f"attempt:{acceptance}"


def request(token: str, name: str) -> str:
    """What the request of this name, to this application, was given; for a day."""
    return f"request:{{{token}}}/{name}"


def key_holder(key_hash: str) -> str:
    """Whose key has this hash, and in which epoch that was read."""
    return f"key:{key_hash}"


def revoked_key(key_hash: str) -> str:
    """There when the key of this hash opens nothing any more."""
    return f"key:{key_hash}:revoked"


def debt(rate: str, name: str) -> bytes:
    """What this client owes at this rate; whatever it is called."""
    return f"owing:{rate}:{name}".encode("utf-8", "backslashreplace")


def parent_of_key(key: str) -> str:
    """The parent's name in such a key."""
    _, _, name = key.partition(":")
    return name.replace("{", "").replace("}", "")


def _tagged(name: str) -> str:
    token, *numbers = name.split("/")
    return "/".join([f"{{{token}}}", *numbers])
