"""Every error, of client or server, is answered with a problem document."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
import redis
from django.db import (
    DataError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from kombu.exceptions import OperationalError as BrokerError

from api.problems import STATUS_OF
from applications import services
from infra import database
from infra.breaker import Breaker
from infra.errors import DomainError
from infra.logs.formatting import OWN_PACKAGES
from infra.timeouts import DATABASE_RETRY_AFTER_SECONDS
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.live.servers import ROOT

UNKNOWN = "0" * 24


@pytest.fixture(autouse=True)
def breaker(monkeypatch: pytest.MonkeyPatch) -> Breaker:
    """The database's, for one test: nobody looks whether the database is back."""
    breaker = Breaker("database", lambda: None)
    monkeypatch.setattr(breaker, "_watch", lambda: None)
    monkeypatch.setattr(database, "database_breaker", cache(lambda: breaker))
    return breaker


def test_the_last_of_duplicate_keys_counts(api: Api) -> None:
    answer = api.post("/applications", b'{"name": "a", "name": "b"}')

    assert answer.json()["name"] == "b"


def test_a_request_over_128_kib_is_a_413(api: Api) -> None:
    fits = b'{"name": "x"' + b" " * (128 * 1024 - 13) + b"}"

    assert api.post("/applications", fits).status_code == 201
    assert_problem(api.post("/applications", fits + b" "), 413)


def test_what_does_not_exist_is_a_404(api: Api) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    body = {"name": "x", "body": "x"}
    for parent in (f"/applications/{UNKNOWN}", f"/applications/{UNKNOWN}/chats/1", f"{chat}0"):
        for answer in (api.get(parent), api.put(parent, body)):
            assert_problem(answer, 404)
    for answer in (
        api.get(f"/applications/{UNKNOWN}/chats"),
        api.post(f"/applications/{UNKNOWN}/chats", body),
        api.get(f"{chat}0/messages"),
        api.post(f"{chat}0/messages", body),
        api.get(f"{chat}0/messages/search", query="x"),
        api.get(f"{chat}/messages/1"),
        api.patch(f"{chat}/messages/1", body),
    ):
        assert_problem(answer, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/api/v1",
        "/api/v1/applicationsX",
        "/api/v1/applications//",
        "/api/v1/applications/short",
        "/api/v1/applications/%00",
        f"/api/v1/applications/{UNKNOWN}%0A",
        f"/api/v1/applications/{UNKNOWN}%00/chats",
        f"/api/v1/applications/{UNKNOWN.replace('0', 'A')}",
        "/api/v1/applications/" + "9" * 5000,
        f"/api/v1/applications/{UNKNOWN}/chats/%FF",
        "/api/v1/applications/%ED%A0%80",
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_address_is_a_404_with_any_method(
    api: Api, path: str, debug: bool, settings: Any
) -> None:
    settings.DEBUG = debug
    for method in ("get", "post", "put", "delete"):
        assert_problem(getattr(api.client, method)(path), 404)


def test_an_unexpected_error_is_a_bare_500(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise ValueError("a secret of ours")

    monkeypatch.setattr(services, "get_application", fail)

    answer = api.get(f"/applications/{UNKNOWN}")

    assert_problem(answer, 500)
    assert b"secret" not in answer.content
    assert "a secret of ours" in caplog.text


def test_a_database_that_is_away_is_a_503_with_retry_after(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(services, "get_application", fail)

    answer = api.get(f"/applications/{UNKNOWN}")

    assert_problem(answer, 503)
    assert int(answer["Retry-After"]) > 0


def test_a_sane_request_id_is_kept_and_another_is_replaced(api: Api) -> None:
    for given, kept in (("abc-123", True), ("a" * 129, False), ("a b", False), ("é", False)):
        answer = api.client.get("/api/v1/nothing", headers={"X-Request-ID": given})
        assert (answer["X-Request-ID"] == given) is kept
        assert_problem(answer, 404)


def derived(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    """All errors that are derived from this one."""
    for each in kind.__subclasses__():
        yield each
        yield from derived(each)


def test_every_error_of_the_domain_has_a_status() -> None:
    packages = OWN_PACKAGES - {"tests", "bench", "chaos"}
    for package in packages:
        for module in walk_packages([str(ROOT / package)], f"{package}."):
            # What a web process loads last begins to serve.
            if ".migrations." not in module.name and module.name != "chatsystem.asgi":
                import_module(module.name)

    # Imports and exports are commands: no request meets their errors.
    found = {
        kind
        for kind in derived(DomainError)
        if kind.__module__.startswith(tuple(packages))
        and not kind.__module__.startswith("conversations")
    }

    assert len(found) > 10
    assert [kind for kind in found if not set(kind.__mro__) & STATUS_OF.keys()] == []


def test_an_error_of_the_domain_without_a_status_is_a_500(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unheard(DomainError):
        pass

    def fail(*_: object, **__: object) -> None:
        raise Unheard("of")

    monkeypatch.setattr(services, "get_application", fail)

    assert_problem(api.get(f"/applications/{UNKNOWN}"), 500)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProgrammingError(1146, "Table 'x' doesn't exist"), 503),
        (InternalError("database disk image is malformed"), 503),
        (InterfaceError(0, ""), 503),
        (OperationalError(9999, "unheard of"), 503),
        (redis.ResponseError("NOREPLICAS Not enough good replicas to write."), 503),
        (redis.ResponseError("UNHEARD of"), 503),
        (BrokerError("connection refused"), 503),
        (ProgrammingError(1064, "You have an error in your SQL syntax"), 500),
        (DataError(1406, "Data too long"), 500),
    ],
)
def test_a_service_that_fails_is_a_503_unless_it_was_misused(
    error: Exception, status: int, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(services, "get_application", fail)

    answer = api.get(f"/applications/{UNKNOWN}")

    assert_problem(answer, status)
    assert ("Retry-After" in answer.headers) is (status == 503)


def test_reads_fail_at_once_while_the_database_is_known_to_be_away(
    api: Api,
) -> None:
    chat = api.new_chat()
    api.say(chat, "said")

    database.note_failure(OperationalError(2003, "Can't connect"))

    for path in (chat, f"{chat}/messages", f"{chat}/messages/1"):
        answer = api.get(path)
        assert_problem(answer, 503)
        assert answer["Retry-After"] == str(DATABASE_RETRY_AFTER_SECONDS)
    assert api.client.get("/health/live").status_code == 200


@pytest.mark.parametrize("code", [1205, 1213, 1290, 1366, 2006, 2013])
def test_an_error_after_which_there_is_a_connection_is_no_reason_to_leave_the_database_alone(
    breaker: Breaker, code: int
) -> None:
    database.note_failure(OperationalError(code, "refused"))

    assert not breaker.is_open


def test_a_shard_that_fails_is_no_reason_to_leave_the_others_alone(breaker: Breaker) -> None:
    error = "target: chatsystem_sharded.-80.primary: primary is not serving"

    database.note_outage(OperationalError(1105, error))

    assert not breaker.is_open
