"""Entity tags avoid resending unchanged items and prevent lost updates."""

from typing import Any

import pytest

from chats.models import Chat
from operations import counts
from tests.api.client import Api
from tests.api.problems import assert_problem


@pytest.fixture(params=["application", "chat", "message"])
def item(request: pytest.FixtureRequest, api: Api) -> tuple[str, str]:
    """The path of a new item of each kind, and the field of it that can be changed."""
    chat = api.new_chat()
    api.say(chat, "said")
    return {
        "application": (chat.rpartition("/chats/")[0], "name"),
        "chat": (chat, "name"),
        "message": (f"{chat}/messages/1", "body"),
    }[request.param]


def read(api: Api, path: str, method: str = "get", **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return getattr(api.client, method)(f"/api/v1{path}", headers=names)


def test_what_is_created_has_the_tag_that_it_is_read_with(api: Api) -> None:
    application = api.post("/applications", {"name": "a"})
    chat = api.post(f"{application['Location']}/chats", {"name": "c"})
    message = api.post(f"{chat['Location']}/messages", {"body": "m"})

    for created in (application, chat, message):
        assert created["ETag"] == api.get(created["Location"])["ETag"]


def test_head_has_the_tag_of_get(api: Api, item: tuple[str, str]) -> None:
    path, _ = item

    assert read(api, path, "head")["ETag"] == read(api, path)["ETag"]


@pytest.mark.both
@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_answers_with_the_new_tag(api: Api, item: tuple[str, str], method: str) -> None:
    path, field = item
    before = api.get(path)["ETag"]

    changed = getattr(api, method)(path, {field: "new"})

    assert changed["ETag"] == api.get(path)["ETag"] != before


@pytest.mark.both
def test_a_new_count_is_a_new_tag(api: Api) -> None:
    chat = api.new_chat()
    application = chat.rpartition("/chats/")[0]
    api.say(chat, "x")
    tags = {path: api.get(path)["ETag"] for path in (application, chat)}

    counts.reconcile()

    for path, tag in tags.items():
        answer = read(api, path, If_None_Match=tag)
        assert (answer.status_code, answer["ETag"] != tag) == (200, True)
        stale = api.put(path, {"name": "n"}, **{"If-Match": tag})
        assert_problem(stale, 412)


@pytest.mark.both
def test_a_count_that_stays_leaves_the_tag(api: Api) -> None:
    chat = api.new_chat()
    tag = api.get(chat)["ETag"]

    counts.reconcile(everything=True)

    assert api.get(chat)["ETag"] == tag


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("known", ["{}", "W/{}", '"x", {}', '"a,b" ,W/{},', "*", " * "])
def test_who_has_it_already_gets_a_304_with_its_tag(
    api: Api, item: tuple[str, str], method: str, known: str
) -> None:
    path, _ = item
    full = api.get(path)

    answer = read(api, path, method, If_None_Match=known.format(full["ETag"]))

    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", full["ETag"])
    assert "Content-Type" not in answer


@pytest.mark.parametrize("known", ['"0"', '"x"', "", "1", '"01"', "W/1", '"1', '"é"', '"*"', ","])
def test_who_has_something_else_gets_it(api: Api, known: str) -> None:
    application = api.new_application()

    answer = read(api, application, If_None_Match=known)

    assert (answer.status_code, answer.json()["name"]) == (200, "an application")


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("expected", ["{}", '"x", {}', 'W/"7",{},', "*"])
def test_who_has_seen_it_may_change_it(
    api: Api, item: tuple[str, str], method: str, expected: str
) -> None:
    path, field = item
    header = expected.format(api.get(path)["ETag"])

    changed = getattr(api, method)(path, {field: "new"}, **{"If-Match": header})

    assert (changed.status_code, changed.json()[field]) == (200, "new")


@pytest.mark.both
@pytest.mark.parametrize("method", ["put", "patch"])
def test_who_has_seen_an_older_one_may_not(api: Api, item: tuple[str, str], method: str) -> None:
    path, field = item
    tag = api.get(path)["ETag"]
    api.put(path, {field: "somebody else's"})
    before = api.get(path)

    stale = getattr(api, method)(path, {field: "new"}, **{"If-Match": tag})

    assert_problem(stale, 412)
    after = api.get(path)
    assert (after.json(), after["ETag"]) == (before.json(), before["ETag"])


@pytest.mark.parametrize(
    "expected",
    ['W/"1"', '"01"', '"1 "', '"-1"', '"१"', '"x"', '"*"', '"1-gzip"', '"a,b"', '"' * 8],
)
def test_what_is_no_tag_of_the_item_matches_nothing(api: Api, expected: str) -> None:
    application = api.new_application()

    answer = api.put(application, {"name": "new"}, **{"If-Match": expected})

    assert_problem(answer, 412)


@pytest.mark.parametrize("tags", ["1", '"1', "", ",", "junk", "é"])
def test_a_change_on_condition_of_no_tag_is_a_400(api: Api, tags: str) -> None:
    application = api.new_application()

    answer = api.put(application, {"name": "new"}, **{"If-Match": tags})

    assert_problem(answer, 400)
    assert "If-Match" in answer.json()["detail"]


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("known", ["*", "{}", "W/{}", '"x", {}'])
def test_a_change_of_anything_but_what_is_known_is_stale(
    api: Api, item: tuple[str, str], method: str, known: str
) -> None:
    path, field = item
    header = known.format(api.get(path)["ETag"])

    refused = getattr(api, method)(path, {field: "new"}, **{"If-None-Match": header})
    changed = getattr(api, method)(path, {field: "new"}, **{"If-None-Match": '"99"'})

    assert_problem(refused, 412)
    assert (changed.status_code, changed.json()[field]) == (200, "new")


def test_more_tags_than_can_be_compared_are_a_400(api: Api) -> None:
    application = api.new_application()
    for number, status in ((100, 200), (101, 400)):
        tags = ",".join(f'"{version}"' for version in range(1, number + 1))

        answer = api.put(application, {"name": "new"}, **{"If-Match": tags})

        assert answer.status_code == status


@pytest.mark.parametrize("expected", ["*", '"1"', '"x"'])
def test_what_does_not_exist_is_not_stale(api: Api, expected: str) -> None:
    chat = api.new_chat()
    for path in (f"/applications/{'0' * 24}", f"{chat}1", f"{chat}/messages/1"):
        answer = api.put(path, {"name": "x", "body": "x"}, **{"If-Match": expected})

        assert_problem(answer, 404)


def test_a_change_that_cannot_be_is_told_so_before_it_is_compared(api: Api) -> None:
    answer = api.put(api.new_application(), {"name": ""}, **{"If-Match": '"9"'})

    assert_problem(answer, 400)


def test_if_none_match_is_for_readers(api: Api) -> None:
    chat = api.new_chat()

    answer = api.put(chat, {"name": "new"}, **{"If-None-Match": '"2"'})

    assert (answer.status_code, Chat.objects.get().name) == (200, "new")
