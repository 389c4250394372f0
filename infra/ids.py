"""UUIDs as 32 hexadecimal digits, with the bits that a database may insist on (RFC 9562)."""

import os
from random import Random

_FIXED = 0xF << 76 | 0b11 << 62
_VARIANT = 0b10 << 62

#: Seeded from the kernel in each process, and by nobody else: whoever seeds Python's own generator,
#: as tests do, would have it draw the same again.
_random = Random()  # noqa: S311 - what it draws are names, and never secrets
os.register_at_fork(after_in_child=_random.seed)


def make_uuid(bits: int, version: int) -> str:
    """The UUID of this version that is made of these 128 bits."""
    return f"{bits & ~_FIXED | version << 76 | _VARIANT:032x}"


def new_id() -> str:
    """One that is not given twice, as uuid4 makes it, without asking the kernel for each."""
    return make_uuid(_random.getrandbits(128), 4)
