"""Keys: 256 random bits that are shown once, when they are made. Only their SHA-256 is kept.

Nobody guesses 256 bits, so a quick hash without salt is enough, and a key is found by an index.
"""

import secrets
from hashlib import sha256
from typing import NewType

KEY_BYTES = 32

KeyHash = NewType("KeyHash", str)


def new_key() -> str:
    """64 hexadecimal digits."""
    return secrets.token_hex(KEY_BYTES)


def hash_of(key: str) -> KeyHash:
    """What is kept of a key: 64 hexadecimal digits as well."""
    return KeyHash(sha256(key.encode()).hexdigest())
