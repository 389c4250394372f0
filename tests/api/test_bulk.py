"""Bulk creates: consecutive numbers in the order sent, all messages or none."""

from typing import Any

import pytest

from chats.models import Chat
from ingest.database_numbers import number_and_store
from ingest.submission import Submission
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.api.test_paging import shown
from tests.api.test_queries import fill
from tests.pipeline.backlog import stored
from tests.rows import new_message


def bulk(api: Api, chat: str, *bodies: Any) -> Any:
    return api.post(f"{chat}/messages/bulk", {"messages": [{"body": body} for body in bodies]})


@pytest.fixture
def chat(api: Api) -> str:
    """A chat with one message."""
    chat = api.new_chat()
    api.say(chat, "before")
    return chat


@pytest.mark.both
def test_all_are_created_in_their_order(api: Api, chat: str) -> None:
    bodies = ["one", "  two\n", "三", "🎉"]

    answer = bulk(api, chat, *bodies)

    assert answer.status_code == 201
    results = answer.json()["results"]
    assert [item["message_number"] for item in results] == [2, 3, 4, 5]
    assert [item["body"] for item in results] == bodies
    assert results == api.get(f"{chat}/messages", after=1).json()["results"]


@pytest.mark.both
def test_one_is_enough_and_five_hundred_are_not_too_many(api: Api, chat: str) -> None:
    assert bulk(api, chat, "x").status_code == 201

    assert shown(bulk(api, chat, *"x" * 500).json()) == list(range(3, 503))


@pytest.mark.both
def test_the_whole_may_be_larger_than_a_single_message_may(api: Api, chat: str) -> None:
    assert bulk(api, chat, *["a" * 16384] * 200).status_code == 201

    assert_problem(bulk(api, chat, *["a" * 16384] * 257), 413)
    assert stored() == list(range(1, 202))


@pytest.mark.parametrize(
    ("bodies", "fields"),
    [
        (["good", "", "good", 7, None, "x" * 16385], [1, 3, 4, 5]),
        (["good"] * 499 + ["\0"], [499]),
        ([" \n"], [0]),
    ],
)
def test_each_wrong_body_is_named_and_nothing_is_created(
    api: Api, chat: str, bodies: list[Any], fields: list[int]
) -> None:
    answer = bulk(api, chat, *bodies)

    assert_problem(answer, 400)
    assert [error["field"] for error in answer.json()["errors"]] == [
        f"messages[{place}].body" for place in fields
    ]
    assert stored() == [1]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "x"}, "messages"),
        ({"messages": {"0": {"body": "x"}}}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"body": "x"}] * 501}, "messages"),
        ({"messages": [{"body": "x"}, "y"]}, "messages[1]"),
        ({"messages": [{"text": "x"}]}, "messages[0].body"),
        ({"messages": [[]]}, "messages[0]"),
        ([{"body": "x"}], ""),
    ],
)
def test_a_wrong_list_is_named(api: Api, chat: str, document: Any, field: str) -> None:
    answer = api.post(f"{chat}/messages/bulk", document)

    assert_problem(answer, 400)
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_chat_that_is_not_there_gets_none(api: Api, chat: str) -> None:
    assert_problem(bulk(api, f"{chat}9", "x"), 404)


@pytest.mark.both
def test_what_the_database_refuses_takes_its_whole_request_with_it_and_no_other(
    api: Api, chat: str
) -> None:
    token = chat.split("/")[2]
    # A row that nobody has numbered is in the way of the third of its numbers.
    fill(chat, 1, first=7)
    Chat.objects.update(number_ceiling=1)

    def submission(*bodies: str) -> Submission:
        return Submission([new_message(token, 1, body) for body in bodies])

    outcomes = number_and_store([submission(*"abc"), submission(*"defg"), submission("f")])

    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True, False]
    assert stored() == [1, 2, 3, 4, 5, 7]
