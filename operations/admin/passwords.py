"""Hashes of passwords, one at a time in each process.

A hash is meant to cost half a second of a processor. A crowd that computes them together would keep
all threads and all processors from everybody else's requests.
"""

from threading import Semaphore

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from infra.errors import Unavailable
from infra.timeouts import PASSWORD_TURN_SECONDS

_AT_ONCE = 1


class PasswordsBusy(Unavailable):
    """Too many passwords are checked just now."""

    def __init__(self) -> None:
        super().__init__("Too many passwords are being checked just now.")


class Hasher(PBKDF2PasswordHasher):
    """Django's own, which waits for its turn."""

    _turn = Semaphore(_AT_ONCE)

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash. Raises PasswordsBusy."""
        if not self._turn.acquire(timeout=PASSWORD_TURN_SECONDS):
            raise PasswordsBusy
        try:
            return super().encode(password, salt, iterations)
        finally:
            self._turn.release()
