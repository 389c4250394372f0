"""The password hasher: it computes one hash at a time in each process.

A hash costs half a second of CPU by design. Many at once would take all threads and all CPUs from
other requests.
"""

from threading import Semaphore

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from infra.errors import Unavailable
from infra.timeouts import PASSWORD_TURN_SECONDS

_AT_ONCE = 1


class PasswordsBusy(Unavailable):
    """Too many passwords are being checked at the moment."""

    detail = "Too many passwords are being checked at the moment."


class Hasher(PBKDF2PasswordHasher):
    """Django's PBKDF2 hasher, limited to one computation at a time."""

    _turn = Semaphore(_AT_ONCE)

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash. Raises PasswordsBusy."""
        if not self._turn.acquire(timeout=PASSWORD_TURN_SECONDS):
            raise PasswordsBusy
        try:
            return super().encode(password, salt, iterations)
        finally:
            self._turn.release()
