"""Identifiers that are not given twice, made without asking the kernel for each.

They are drawn as uuid4 does it, by a generator that Python seeds in each process from the kernel.
Who sees some could tell the next ones: they are names, and never secrets.
"""

from random import getrandbits

_FIXED = 0xF << 76 | 0b11 << 62
_VERSION_4 = 0x4 << 76 | 0b10 << 62


def new_id() -> str:
    """A UUID of version 4 (RFC 9562), as 32 hexadecimal digits."""
    return f"{getrandbits(128) & ~_FIXED | _VERSION_4:032x}"
