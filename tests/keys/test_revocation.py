"""A replaced key stops working: after how long, and at what cost."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from applications import authentication, key_holders
from applications.authentication import hash_of, new_key
from applications.key_holders import KeyHash
from applications.models import Application
from applications.services import make_operator_key, rotate_key
from infra import database
from infra.breaker import Breaker
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.keys.clients import Owner, with_key
from tests.live.servers import eventually


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that identities are remembered by."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(authentication, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_a_new_key_works_and_the_old_one_stops_at_once(owner: Owner) -> None:
    answer = owner.api.post(f"{owner.path}/key")

    assert answer.status_code == 200
    assert list(answer.json()) == ["key"]
    assert with_key(answer.json()["key"]).get(owner.path).status_code == 200
    assert_problem(owner.api.get(owner.path), 401)


def test_an_operator_replaces_the_key_of_any_application(owner: Owner, operator: Api) -> None:
    key = operator.post(f"{owner.path}/key").json()["key"]

    assert_problem(owner.api.get(owner.path), 401)
    assert with_key(key).get(owner.path).status_code == 200


def test_an_operator_key_that_was_replaced_stops_at_once(operator: Api) -> None:
    new = with_key(make_operator_key(name="ops"))

    assert_problem(operator.get("/applications"), 401)
    assert new.get("/applications").status_code == 200


def test_what_another_process_replaced_stops_within_a_second(
    owner: Owner, clock: SimpleNamespace
) -> None:
    assert owner.api.get(owner.path).status_code == 200
    Application.objects.filter(token=owner.token).update(key_hash=hash_of(new_key()))

    clock.now += authentication.REMEMBERED_SECONDS

    assert_problem(owner.api.get(owner.path), 401)


def test_a_busy_key_is_looked_up_once_a_second(owner: Owner, clock: SimpleNamespace) -> None:
    owner.api.get(owner.path)
    assert lookups(owner.api, owner.path, times=5) == 0

    clock.now += authentication.REMEMBERED_SECONDS

    assert lookups(owner.api, owner.path, times=5) == 1


def test_guessing_costs_no_lookup_for_each_try(owner: Owner, clock: SimpleNamespace) -> None:
    guess = with_key("1" * 64)

    assert lookups(guess, owner.path, times=5) == 1
    assert lookups(with_key("no key at all"), owner.path, times=5) == 0


def test_not_more_than_so_many_are_remembered(
    owner: Owner, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "MAX_REMEMBERED", 3)
    clock.now += authentication.REMEMBERED_SECONDS

    for guess in range(5):
        assert lookups(with_key(f"{guess:064x}"), owner.path, times=1) == 1

    assert lookups(with_key(f"{1:064x}"), owner.path, times=5) == 0
    assert lookups(with_key(f"{4:064x}"), owner.path, times=5) == 5


@pytest.mark.django_db(transaction=True)
def test_threads_that_ask_at_the_same_time_ask_the_database_together(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = 7
    asked: list[int] = []
    ask_database = key_holders._from_database

    def slowly(key_hashes: Collection[KeyHash]) -> dict[KeyHash, key_holders.Identity] | None:
        asked.append(len(key_hashes))
        if len(asked) == 1:
            eventually(lambda: len(key_holders._together._waiting) == others, 5, "all have come")
        return ask_database(key_hashes)

    monkeypatch.setattr(key_holders, "_from_database", slowly)
    hashes = [hash_of(new_key()) for _ in range(1 + others)]
    with ThreadPoolExecutor(1 + others) as pool:
        found = list(pool.map(authentication.identify, hashes))

    assert found == [None] * (1 + others)
    assert asked == [1, others]


def test_a_rival_who_was_quicker_has_his_key_replaced_too(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals: list[str] = []

    def rotate_before(_: object) -> bool:
        if not rivals:
            rivals.append("")
            rivals.append(rotate_key(token=owner.token))
        return True

    monkeypatch.setattr("applications.services._revoke_in_redis", rotate_before)

    key = rotate_key(token=owner.token)

    assert_problem(with_key(rivals[-1]).get(owner.path), 401)
    assert with_key(key).get(owner.path).status_code == 200


def test_without_redis_a_database_that_is_away_is_a_503(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(Breaker, "_watch", lambda _: None)
    authentication.forget_identities()
    monkeypatch.setattr(key_holders, "_rows", fail)

    answer = owner.api.get(owner.path)

    assert_problem(answer, 503)
    assert answer["Retry-After"]
    assert database.database_breaker().is_open
    with CaptureQueriesContext(connection) as captured:
        assert_problem(owner.api.get(owner.path), 503)
    assert not captured.captured_queries


def lookups(api: Api, path: str, times: int) -> int:
    """How often keys were looked up for so many requests."""
    with CaptureQueriesContext(connection) as captured:
        for _ in range(times):
            api.get(path)
    return len([query for query in captured.captured_queries if "operator_keys" in query["sql"]])
