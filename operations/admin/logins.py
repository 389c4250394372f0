"""Logging in to the admin: limits on wrong passwords and on the CPU time that they cost.

A wrong password counts for the client's address and, together with those from other addresses, for
the user name. One address cannot reach the limit of a name, so it cannot lock out a user elsewhere.
A browser in which the user has logged in before has a signed cookie and its own counter: while many
addresses try a name, its owner can still log in.

An attempt is counted in Django's cache before the password is checked, so a hundred at once do not
all pass the limit. A successful attempt is given back. All processes count together in Redis;
without Redis, or while it is down, each process counts alone.

A hash costs half a second of CPU by design. Many at once would take all threads and all CPUs from
other requests, so each process computes one at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from threading import Semaphore
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import BaseCache, caches
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.views.decorators.debug import sensitive_variables

from infra.addresses import network_of
from infra.errors import Unavailable
from infra.logs import Event, get_logger
from infra.redis_client import any_server, redis_is_cluster, redis_is_configured
from infra.timeouts import PASSWORD_RETRY_AFTER_SECONDS, PASSWORD_TURN_SECONDS

_AT_ONCE = 1


class PasswordsBusy(Unavailable):
    """Too many passwords are being checked at the moment."""

    detail = "Too many passwords are being checked at the moment."


@contextmanager
def _slot(room: Semaphore, seconds: float) -> Iterator[None]:
    """One of the places in the room for the block. Raises PasswordsBusy if none is free in time."""
    if not room.acquire(timeout=seconds):
        raise PasswordsBusy
    try:
        yield
    finally:
        room.release()


class Hasher(PBKDF2PasswordHasher):
    """Django's PBKDF2 hasher, limited to one computation at a time."""

    _turn = Semaphore(_AT_ONCE)

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash. Raises PasswordsBusy."""
        with _slot(self._turn, PASSWORD_TURN_SECONDS):
            return super().encode(password, salt, iterations)


logger = get_logger(__name__)

#: A window begins with the first attempt of its counter.
WINDOW_SECONDS = 300
#: The cache of this process only (settings.CACHES).
PROCESS = "process"
#: The limit of a name, over all addresses, as a multiple of LOGIN_ATTEMPTS.
_NAME_FACTOR = 5
_COOKIE = "known_browser"
_COOKIE_SECONDS = 90 * 24 * 3600
#: At most this many requests of a process check a password or wait for their turn.
_MAX_AT_ONCE = 2


def count_attempt(name: str) -> int:
    """Count an attempt; return the number of attempts in the window, including this one."""
    for cache in _caches_to_count_in():
        found = _count_in(cache, _cache_key(name))
        if found:
            return found
    return 1


def give_back_attempt(name: str) -> None:
    """Remove a counted attempt."""
    for cache in _caches_to_count_in():
        if _add_in(cache, _cache_key(name), -1):
            return


def _caches_to_count_in() -> Iterator[BaseCache]:
    """The caches to count in, the preferred one first."""
    if redis_is_configured() and not redis_is_cluster() and not any_server().breaker.is_open:
        yield caches["default"]
    yield caches[PROCESS]


def _count_in(cache: BaseCache, key: str) -> int | None:
    """The new count; None if the cache does not answer or holds something else."""
    if cache.add(key, 1, timeout=WINDOW_SECONDS):
        return 1
    return _add_in(cache, key, 1)


def _add_in(cache: BaseCache, key: str, number: int) -> int | None:
    try:
        return cache.incr(key, number)
    except (TypeError, ValueError):  # the key has expired, or is no number
        return None


def _cache_key(name: str) -> str:
    """A digest: it has a fixed length and does not contain the client's text."""
    return f"attempts:{blake2b(name.encode(errors='replace'), digest_size=16).hexdigest()}"


@dataclass(frozen=True)
class Refusal:
    """Why a password was not checked, and when to try again (`retry_after` in seconds)."""

    status: int
    retry_after: int
    detail: str


_TOO_MANY = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS,
    WINDOW_SECONDS,
    "Too many wrong passwords: this one was not checked. Try again in five minutes.",
)
_BUSY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    PASSWORD_RETRY_AFTER_SECONDS,
    f"{PasswordsBusy().detail} Try again.",
)


class LoginForm(AdminAuthenticationForm):
    """Django's login form with limits."""

    refusal: Refusal | None = None
    # A thread that waits for its turn cannot serve other requests.
    _room = Semaphore(max(1, min(_MAX_AT_ONCE, settings.ENVIRONMENT.web_threads // 4)))

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Check the password within the limits. Raises ValidationError."""
        name = self.cleaned_data.get("username")
        if self.request is None or name is None or not self.cleaned_data.get("password"):
            return super().clean()
        # Count first: a refused attempt must not take the place of another request.
        counted = self._count(self.request, name)
        is_wrong = False
        try:
            with _slot(self._room, 0):
                return super().clean()
        except PasswordsBusy:
            raise self._refused(_BUSY) from None
        except ValidationError:
            is_wrong = True
            raise
        finally:
            if not is_wrong:
                for counter in counted:
                    give_back_attempt(counter)

    def _count(self, request: HttpRequest, name: str) -> list[str]:
        """Count the attempt and return its counters. Raises ValidationError above a limit."""
        counted = []
        for counter, most in _counters(request, name):
            counted.append(counter)
            found = count_attempt(counter)
            if found == most + 1:
                logger.warning(Event.LOGINS_REFUSED, by=counter.partition(" ")[0])
            if found > most:
                raise self._refused(_TOO_MANY)
        return counted

    def _refused(self, refusal: Refusal) -> ValidationError:
        self.refusal = refusal
        return ValidationError(refusal.detail, code="refused")


def login(request: HttpRequest) -> HttpResponse:
    """The login page. A successful login marks the browser as known for that user."""
    response = admin.site.login(request)
    form = (getattr(response, "context_data", None) or {}).get("form")
    refusal: Refusal | None = getattr(form, "refusal", None)
    if refusal:
        response.status_code = refusal.status
        response["Retry-After"] = str(refusal.retry_after)
    elif request.method == "POST" and request.user.is_authenticated:
        _remember(response, request, request.user.get_username())
    return response


def _counters(request: HttpRequest, name: str) -> list[tuple[str, int]]:
    """The counters of an attempt with their limits."""
    most = settings.ENVIRONMENT.login_attempts
    if browser := _known_browser(request, name):
        return [(f"browser {browser}", most)]
    address = network_of(request.META.get("REMOTE_ADDR", ""))
    return [(f"address {address}", most), (f"name {name}", _NAME_FACTOR * most)]


def _known_browser(request: HttpRequest, name: str) -> str:
    """The ID of a browser in which this user has logged in before, or ""."""
    value = request.get_signed_cookie(_COOKIE, "", salt=_COOKIE, max_age=_COOKIE_SECONDS)
    browser, _, owner = str(value).partition(" ")
    return browser if owner == _digest(name) else ""


def _remember(response: HttpResponse, request: HttpRequest, name: str) -> None:
    browser = _known_browser(request, name) or uuid4().hex
    response.set_signed_cookie(
        _COOKIE,
        f"{browser} {_digest(name)}",
        salt=_COOKIE,
        max_age=_COOKIE_SECONDS,
        path="/admin/login/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _digest(name: str) -> str:
    return salted_hmac(_COOKIE, name).hexdigest()
