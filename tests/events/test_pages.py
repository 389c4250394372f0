"""Pages of the log: every entry once, in order, wherever a client was cut."""

from typing import Any

import pytest

from events.models import ApplicationEvent
from messages_app.models import Message
from tests.api.client import Api
from tests.api.problems import assert_problem

pytestmark = pytest.mark.usefixtures("rows_of_module")

#: The ids of the entries that `application` has.
IDS = ["1", "2.1", "2.2", "2.3", "2", "3", "4.1", "4", "5", "6"]


@pytest.fixture
def application(api: Api) -> str:
    """A chat, a run of four messages, a message, a run of two, an edit, and a rename."""
    application = api.new_application()
    chat = api.new_chat(application)
    for count in (4, 1, 2):
        api.post(f"{chat}/messages/bulk", {"messages": [{"body": "x"}] * count})
    api.patch(f"{chat}/messages/5", {"body": "y"})
    api.put(application, {"name": "another"})
    return application


def page(api: Api, application: str, **query: Any) -> Any:
    """A page of the log."""
    answer = api.get(f"{application}/events", **query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(page: Any) -> list[str]:
    return [entry["id"] for entry in page["results"]]


def test_there_is_an_entry_for_each_item(api: Api, application: str) -> None:
    everything = page(api, application)

    assert ids(everything) == IDS
    assert (everything["next"], everything["previous"]) == (None, None)
    created = [one for one in everything["results"] if one["type"] == "message.created"]
    assert [one["message"]["message_number"] for one in created] == list(range(1, 8))
    assert {one["chat_number"] for one in created} == {1}


def test_an_entry_shows_its_item_as_the_item_s_route_does(api: Api, application: str) -> None:
    chat, *_, edit, rename = page(api, application)["results"]

    assert chat["chat"] == api.get(f"{application}/chats/1").json()
    assert edit["message"] == api.get(f"{application}/chats/1/messages/5").json()
    assert rename["application"] == api.get(application).json()
    assert set(chat) == {"id", "event_number", "type", "created_at", "chat_number", "chat"}
    assert set(rename) == {"id", "event_number", "type", "created_at", "application"}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 9, 10])
def test_pages_lead_through_everything_and_back(api: Api, application: str, limit: int) -> None:
    pages = [page(api, application, limit=limit)]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())
    back = [pages[-1]]
    while back[-1]["previous"]:
        back.append(api.get(back[-1]["previous"]).json())

    assert [one for each in pages for one in ids(each)] == IDS
    assert [one for each in reversed(back) for one in ids(each)] == IDS
    assert all(len(each["results"]) == limit for each in pages[:-1])


@pytest.mark.parametrize("place", range(len(IDS)))
def test_a_client_goes_on_after_any_id(api: Api, application: str, place: int) -> None:
    assert ids(page(api, application, after=IDS[place])) == IDS[place + 1 :]
    assert ids(page(api, application, after=IDS[place], limit=1)) == IDS[place + 1 : place + 2]


@pytest.mark.parametrize("after", ["6", "6.1", "2.9", "7", "1000000", "9" * 18])
def test_nothing_follows_the_newest_entry(api: Api, application: str, after: str) -> None:
    expected = IDS[5:] if after == "2.9" else []

    assert ids(page(api, application, after=after)) == expected


def test_previous_of_a_place_beyond_the_end_is_the_last_page(api: Api, application: str) -> None:
    beyond = page(api, application, after=1000, limit=3)

    assert ids(api.get(beyond["previous"]).json()) == IDS[-3:]


def test_after_nothing_is_everything(api: Api, application: str) -> None:
    assert ids(page(api, application, after=0)) == IDS


@pytest.mark.parametrize(
    "after", ["", "-1", "01", "1.0", "1.01", "1.", ".1", "1.1.1", "x", "1e3", "٣", "9" * 19, " 1"]
)
def test_what_is_no_id_is_refused(api: Api, application: str, after: str) -> None:
    problem = assert_problem(api.get(f"{application}/events", after=after), 400)

    assert [error["field"] for error in problem["errors"]] == ["after"]


@pytest.mark.parametrize("limit", ["0", "201", "x"])
def test_a_limit_out_of_range_is_refused(api: Api, application: str, limit: str) -> None:
    assert_problem(api.get(f"{application}/events", limit=limit), 400)


def test_an_erased_message_shows_nothing_in_any_event(api: Api, application: str) -> None:
    api.delete(f"{application}/chats/1/messages/5")
    tombstone = api.get(f"{application}/chats/1/messages/5").json()

    shown = [one for one in page(api, application)["results"] if one["event_number"] in (3, 5, 7)]

    assert [one["type"].partition(".")[2] for one in shown] == ["created", "updated", "erased"]
    assert [one["message"] for one in shown] == [tombstone] * 3


def test_a_purged_message_is_null(api: Api, application: str) -> None:
    Message.objects.filter(message_number__lte=2).delete()

    shown = page(api, application)["results"]

    assert ids({"results": shown}) == IDS
    assert [one["message"] is None for one in shown[1:5]] == [True, True, False, False]


def test_events_that_are_removed_are_gone(api: Api, application: str) -> None:
    ApplicationEvent.objects.filter(event_number__lte=2).delete()

    assert ids(page(api, application)) == IDS[5:]
    assert ids(page(api, application, after=2)) == IDS[5:]
    assert page(api, application, after=2)["previous"] is None
    for after in ("0", "1", "2.3"):
        answer = api.get(f"{application}/events", after=after)
        assert (answer.status_code, answer["Content-Type"]) == (410, "application/problem+json")
        assert answer.json()["lowest_event_number"] == 3


def test_a_client_that_is_up_to_date_stays_so_when_all_is_removed(
    api: Api, application: str
) -> None:
    ApplicationEvent.objects.all().delete()

    assert ids(page(api, application, after=6)) == []
    assert ids(page(api, application)) == []
    assert api.get(f"{application}/events", after=5).json()["lowest_event_number"] == 7


def test_a_new_application_has_an_empty_log(api: Api) -> None:
    empty = page(api, api.new_application())

    assert empty == {"results": [], "next": None, "previous": None}


def test_an_application_sees_its_own_events_only(api: Api, application: str) -> None:
    other = api.new_application()
    api.new_chat(other)

    assert ids(page(api, other)) == ["1"]
    assert ids(page(api, application)) == IDS


def test_there_is_no_log_without_an_application(api: Api) -> None:
    assert_problem(api.get(f"/applications/{'0' * 24}/events"), 404)


def test_metadata_is_shown_as_it_was_given(api: Api) -> None:
    application = api.new_application()
    api.post(f"{application}/chats", {"name": "x", "metadata": {"b": 1, "a": [2]}})

    [entry] = page(api, application)["results"]

    assert list(entry["chat"]["metadata"]) == ["b", "a"]
