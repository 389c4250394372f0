"""Logins: wrong passwords are rate-limited without locking out or delaying other users."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import Morsel
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from chatsystem.databases import caches as described
from infra.redis_client import server_of
from operations.admin import logins
from operations.admin import logins as attempts
from operations.admin.logins import Hasher, PasswordsBusy
from tests.admin.pages import add, errors
from tests.live.servers import EmbeddedServer, eventually, manage
from tests.redis_server import RedisServer
from tests.shards import ONLY

NAME, RIGHT, WRONG = "ann", "correct horse battery", "wrong"
LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def counted_anew() -> Iterator[None]:
    caches[attempts.PROCESS].clear()
    yield
    caches[attempts.PROCESS].clear()


@pytest.fixture(autouse=True)
def ann(db: None) -> User:
    return User.objects.create_superuser(NAME, password=RIGHT)


def try_to_log_in(
    password: str, *, name: str = NAME, address: str = "192.0.2.1", browser: Client | None = None
) -> Any:
    """The answer to a filled form, in a browser that was never seen before."""
    sent = {"username": name, "password": password}
    return (browser or Client()).post(LOGIN, sent, REMOTE_ADDR=address)


def got_in(answer: Any) -> bool:
    assert answer.status_code in (200, 302, 429), answer.status_code
    return answer.status_code == 302 and "sessionid" in answer.cookies


def use_up(name: str = NAME, address: str = "192.0.2.1", times: int = 20) -> Counter[int]:
    """The statuses of wrong passwords."""
    found: Counter[int] = Counter()
    for _ in range(times):
        found[try_to_log_in(WRONG, name=name, address=address).status_code] += 1
    return found


def test_after_many_wrong_passwords_the_right_one_is_not_looked_at() -> None:
    assert use_up() == {200: 10, 429: 10}

    refused = try_to_log_in(RIGHT)

    assert not got_in(refused)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "300"
    assert "Try again in five minutes" in refused.content.decode()


def test_the_limit_is_a_setting(settings: Settings) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"login_attempts": 3})

    assert use_up(times=5) == {200: 3, 429: 2}


def test_when_the_time_is_over_the_right_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "WINDOW_SECONDS", 0.3)
    use_up(times=11)

    eventually(lambda: got_in(try_to_log_in(RIGHT)), 20, "the window has passed", every=0.1)


def test_wrong_passwords_of_one_address_shut_out_nobody_elsewhere() -> None:
    use_up(times=100)

    assert got_in(try_to_log_in(RIGHT, address="192.0.2.2"))


def test_an_address_tries_no_more_names_than_passwords() -> None:
    statuses = [try_to_log_in(WRONG, name=f"user{n}").status_code for n in range(12)]

    assert statuses == [200] * 10 + [429] * 2


def test_a_network_of_ipv6_is_one_address() -> None:
    for n in range(10):
        try_to_log_in(WRONG, address=f"2001:db8::{n}")

    assert not got_in(try_to_log_in(RIGHT, address="2001:db8::ffff"))
    assert got_in(try_to_log_in(RIGHT, address="2001:db8:1::1"))


def from_many_addresses(name: str = NAME) -> None:
    for n in range(5):
        use_up(name, f"198.51.100.{n}", times=10)


def test_a_crowd_of_addresses_tries_one_name_a_limited_number_of_times() -> None:
    from_many_addresses()

    assert not got_in(try_to_log_in(RIGHT))


def test_the_owner_of_that_name_gets_in_where_he_was_before() -> None:
    browser = Client()
    assert got_in(try_to_log_in(RIGHT, browser=browser))
    known = browser.cookies["known_browser"].value
    browser.logout()
    browser.cookies["known_browser"] = known
    from_many_addresses()

    assert got_in(try_to_log_in(RIGHT, browser=browser, address="203.0.113.9"))


def test_a_known_browser_is_limited_too() -> None:
    browser = Client()
    try_to_log_in(RIGHT, browser=browser)
    statuses = [try_to_log_in(WRONG, browser=browser).status_code for _ in range(12)]

    assert statuses == [200] * 10 + [429] * 2


@pytest.mark.parametrize("forged", ["another user's", "made up"])
def test_another_cookie_makes_no_browser_known(forged: str) -> None:
    browser = Client()
    if forged == "made up":
        browser.cookies["known_browser"] = "0" * 32 + " " + logins._digest(NAME) + ":x:y"
    else:
        User.objects.create_superuser("bob", password=RIGHT)
        try_to_log_in(RIGHT, name="bob", browser=browser)
    from_many_addresses()

    assert not got_in(try_to_log_in(RIGHT, browser=browser))


def test_right_passwords_are_not_counted() -> None:
    assert all(got_in(try_to_log_in(RIGHT)) for _ in range(15))


def test_a_database_that_fails_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError(2006, "Server has gone away")

    with monkeypatch.context() as away:
        away.setattr("django.contrib.auth.forms.authenticate", fail)
        browser = Client(raise_request_exception=False)
        for _ in range(12):
            assert try_to_log_in(RIGHT, browser=browser).status_code == 503

    assert got_in(try_to_log_in(RIGHT))


def test_an_attempt_that_was_turned_away_for_the_crowd_is_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logins.LoginForm, "_room", threading.Semaphore(0))
    busy = [try_to_log_in(RIGHT) for _ in range(20)]
    monkeypatch.undo()

    assert {answer.status_code for answer in busy} == {503}
    assert busy[0]["Retry-After"] == "2"
    assert got_in(try_to_log_in(RIGHT))


@pytest.fixture
def shared(redis_server: RedisServer, settings: Settings) -> RedisServer:
    """A Redis in which all processes count."""
    settings.CACHES = described(redis_server.url)
    return redis_server


def another_process() -> None:
    """It counts for itself where it does not count with the others."""
    caches[attempts.PROCESS].clear()


def test_all_processes_count_together(shared: RedisServer) -> None:
    assert use_up(times=6) == {200: 6}
    another_process()

    assert use_up(times=6) == {200: 4, 429: 2}
    for key in shared.client().scan_iter("*attempts:*"):
        assert 0 < shared.client().ttl(key) <= 300
        assert NAME.encode() not in key


def test_without_its_redis_a_process_counts_alone(shared: RedisServer) -> None:
    shared.kill()

    assert use_up(times=12) == {200: 10, 429: 2}


def test_a_redis_that_refuses_is_done_without(shared: RedisServer) -> None:
    shared.client().config_set("min-replicas-to-write", 1)

    assert use_up(times=12) == {200: 10, 429: 2}


@pytest.mark.parametrize("planted", [b"\x80\x04no number", b'"x"', b"[]"])
def test_what_somebody_has_put_there_is_no_count(shared: RedisServer, planted: bytes) -> None:
    use_up(times=1)
    for key in shared.client().scan_iter("*attempts:*"):
        shared.client().set(key, planted, ex=300)

    assert use_up(times=12) == {200: 10, 429: 2}


def test_the_cache_holds_json_and_runs_nothing(shared: RedisServer, tmp_path: Path) -> None:
    cache = caches["default"]
    cache.set("said", {"who": "Ann", "times": [1, 2]})
    [key] = shared.client().scan_iter("*said")
    assert shared.client().get(key) == b'{"who": "Ann", "times": [1, 2]}'
    assert cache.get("said") == {"who": "Ann", "times": [1, 2]}

    proof = tmp_path / "run"
    shared.client().set(key, f"cposix\nsystem\n(S'touch {proof}'\ntR.".encode())
    with pytest.raises(ValueError, match="Expecting value"):
        cache.get("said")

    assert not proof.exists()
    assert not server_of(ONLY).breaker.is_open


def test_one_password_is_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def encode(self: object, password: str, salt: str, iterations: object = None) -> str:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        with lock:
            under_way -= 1
        return password

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", encode)
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda n: Hasher().encode(str(n), "salt"), range(16)))

    assert hashes == [str(n) for n in range(16)]
    assert most == 1


def test_whoever_waits_too_long_for_a_hash_is_told_to_come_again(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.PASSWORD_HASHERS = ["operations.admin.logins.Hasher"]
    monkeypatch.setattr(Hasher, "_turn", threading.Semaphore(0))
    monkeypatch.setattr("operations.admin.logins.PASSWORD_TURN_SECONDS", 0.01)
    with pytest.raises(PasswordsBusy):
        Hasher().encode("x", "salt")
    admin_client.raise_request_exception = False
    sent = {"old_password": "x", "new_password1": RIGHT, "new_password2": RIGHT}

    answer = admin_client.post("/admin/password_change/", sent)

    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert try_to_log_in(RIGHT).status_code == 503


@pytest.mark.costly
def test_a_crowd_that_logs_in_holds_up_nobody_who_reads(tmp_path: Path, migrated: Path) -> None:
    with (
        EmbeddedServer(tmp_path, migrated, LOGIN_ATTEMPTS="5") as server,
        httpx.Client(base_url=server.url) as reader,
    ):
        assert manage(
            *("createsuperuser", "--noinput", "--username", NAME, "--email", "ann@example.org"),
            environment={**server.environment, "DJANGO_SUPERUSER_PASSWORD": RIGHT},
        ).stdout
        application = reader.post("/api/v1/applications", json={"name": "Acme"})
        path = httpx.URL(application.headers["Location"]).path

        def guess(_: int) -> int:
            with httpx.Client(base_url=server.url, timeout=120) as client:
                client.get(LOGIN)
                token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
                sent = {"username": NAME, "password": WRONG, **token}
                return client.post(LOGIN, data=sent).status_code

        slowest = 0.0
        with ThreadPoolExecutor(24) as crowd:
            guesses = [crowd.submit(guess, n) for n in range(24)]
            while not all(one.done() for one in guesses):
                began = time.monotonic()
                assert reader.get(path, timeout=60).status_code == 200
                slowest = max(slowest, time.monotonic() - began)
        statuses = Counter(one.result() for one in guesses)

    assert {*statuses} <= {200, 429, 503}
    assert 1 <= statuses[200] <= 5
    assert slowest < 3


@pytest.mark.parametrize("password", ["a", "password123", "20261129171", "operator-ann"])
def test_a_weak_password_makes_no_superuser(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    user = {"username": "operator-ann", "email": "ann@example.org"}

    with pytest.raises(CommandError, match=r"The password is|This password is"):
        call_command("createsuperuser", interactive=False, **user)

    assert User.objects.count() == 1
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", RIGHT)
    call_command("createsuperuser", interactive=False, verbosity=0, **user)
    assert User.objects.get(username="operator-ann").check_password(RIGHT)


def test_a_weak_password_makes_no_user_in_the_admin(admin_client: Client) -> None:
    sent = {"username": "bob", "password1": "a", "password2": "a", "usable_password": "true"}

    answer = add(admin_client, User, **sent)

    assert "too short" in str(errors(answer)["password2"])


@pytest.mark.parametrize("https", [False, True])
def test_cookies_are_for_this_site_alone(https: bool, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = https

    cookies: dict[str, Morsel[str]] = dict(try_to_log_in(RIGHT).cookies)

    assert {*cookies} >= {"sessionid", "csrftoken", "known_browser"}
    for name, cookie in cookies.items():
        assert cookie["httponly"], name
        assert cookie["samesite"] == "Lax", name
        assert bool(cookie["secure"]) is https, name
    assert cookies["sessionid"]["max-age"] == ""
    assert NAME not in cookies["known_browser"].value
