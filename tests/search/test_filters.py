"""The filters of both searches: bounds in time, and the sender, byte for byte."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from ingest.fields import MAX_NAME_CHARACTERS
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.api.test_paging import shown
from tests.search.conftest import Settle
from tests.search.test_application import T0, application_of, at

pytestmark = pytest.mark.both

#: The address of a search in one chat, or in its application.
Address = Callable[[str], str]


@pytest.fixture(params=["chat", "application"])
def address(request: pytest.FixtureRequest) -> Address:
    if request.param == "chat":
        return lambda chat: f"{chat}/messages/search"
    return lambda chat: f"{application_of(chat)}/messages/search"


LONG = "\U0001f600" * MAX_NAME_CHARACTERS
SENDERS = ["Ann", "ann", "ÄNN", "A\u0308NN", "Ann B", LONG, "*", None]


def test_the_sender_is_compared_byte_for_byte(api: Api, settle: Settle, address: Address) -> None:
    chat = api.new_chat()
    for sender in SENDERS:
        api.post(f"{chat}/messages", {"body": "needle", "sender": sender})
    settle()

    for number, sender in enumerate(SENDERS[:-1], start=1):
        assert shown(api.get(address(chat), query="needle", sender=sender).json()) == [number]
    assert shown(api.get(address(chat), query="needle", sender="An").json()) == []
    assert shown(api.get(address(chat), query="hay", sender="Ann").json()) == []


def test_bounds_in_time_are_exclusive_to_the_microsecond(
    api: Api, settle: Settle, address: Address
) -> None:
    chat = api.new_chat()
    api.say(chat, *["needle"] * 4)
    for number in range(1, 5):
        at(chat, number, number)
    settle()

    def found(**bounds: float) -> list[int]:
        times = {
            f"created_{name}": (T0 + timedelta(seconds=seconds)).isoformat()
            for name, seconds in bounds.items()
        }
        return shown(api.get(address(chat), query="needle", **times).json())

    assert found(after=2) == [4, 3]
    assert found(after=1.999999) == [4, 3, 2]
    assert found(before=2) == [1]
    assert found(before=2.000001) == [2, 1]
    assert found(after=1, before=4) == [3, 2]
    assert found(after=4, before=1) == []


def test_pages_keep_the_filters(api: Api, settle: Settle, address: Address) -> None:
    chat = api.new_chat()
    for number in range(6):
        api.post(f"{chat}/messages", {"body": "needle", "sender": "ab"[number % 2]})
    settle()

    first = api.get(address(chat), query="needle", sender="b", limit=2).json()
    second = api.get(first["next"]).json()

    assert [shown(first), shown(second)] == [[6, 4], [2]]
    assert second["next"] is None
    assert shown(api.get(second["previous"]).json()) == [6, 4]


def test_an_edit_of_the_sender_is_found(api: Api, settle: Settle, address: Address) -> None:
    chat = api.new_chat()
    api.post(f"{chat}/messages", {"body": "needle", "sender": "old"})
    settle()

    api.patch(f"{chat}/messages/1", {"sender": "new"})
    settle()

    assert shown(api.get(address(chat), query="needle", sender="new").json()) == [1]
    assert shown(api.get(address(chat), query="needle", sender="old").json()) == []


def test_a_filter_that_is_none_is_refused(api: Api, address: Address) -> None:
    chat = api.new_chat()

    for wrong in ({"created_after": "2026-01-31T12:00:00"}, {"created_before": ""}, {"sender": ""}):
        assert_problem(api.get(address(chat), query="needle", **wrong), 400)
