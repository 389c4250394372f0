"""Accepted messages can be erased at once, and the queued insert does not bring them back."""

import pytest

from ingest import erasure
from ingest.models import NumberAuthority
from messages_app.models import Message
from retention.erase import (
    ErasureResult,
    ErasureScope,
    QueuedOutOfSight,
    count_all,
    erase_all,
)
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.pipeline.backlog import Backlog
from tests.pipeline.test_pending import before, once

TEXT = "the secret of Ada"


def test_a_pending_message_is_erased_before_its_insert(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.post(f"{chat}/messages", {"body": TEXT, "sender": "Ada", "metadata": {"a": TEXT}})
    api.say(chat, "second")

    assert api.delete(f"{chat}/messages/1").status_code == 204

    shown = api.get(f"{chat}/messages/1").json()
    assert (shown["body"], shown["sender"], shown["metadata"]) == (None, None, None)
    token = chat.split("/")[2]
    assert all(TEXT.encode() not in member for member in backlog.pending()[f"{token}/1"])
    assert len(backlog.rows) == 2
    backlog.work()
    assert api.get(f"{chat}/messages/1").json() == shown
    assert [one["body"] for one in api.get(f"{chat}/messages").json()["results"]] == [
        None,
        "second",
    ]


def test_a_pending_message_is_compared_before_it_is_erased(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, "x")

    assert_problem(api.delete(f"{chat}/messages/1", **{"If-Match": '"2"'}), 412)
    assert api.delete(f"{chat}/messages/1", **{"If-Match": '"1"'}).status_code == 204
    backlog.work()
    assert api.get(f"{chat}/messages/1").json()["body"] is None


def test_a_message_that_is_stored_meanwhile_is_erased(
    api: Api, backlog: Backlog, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.say(chat, TEXT)
    before(monkeypatch, erasure, "store_if_pending", once(backlog.work))

    assert api.delete(f"{chat}/messages/1").status_code == 204
    assert Message.objects.get().body == ""


def test_a_message_of_a_pending_chat_is_erased(api: Api, backlog: Backlog) -> None:
    chat = api.new_chat()
    api.say(chat, TEXT)

    assert api.delete(f"{chat}/messages/1").status_code == 204
    backlog.work()

    assert api.get(f"{chat}/messages/1").json()["body"] is None


def test_while_redis_is_away_a_queued_message_is_not_denied(
    api: Api, backlog: Backlog, chat: str
) -> None:
    api.say(chat, TEXT)
    backlog.server.kill()

    answer = api.delete(f"{chat}/messages/1")

    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    backlog.work()
    assert api.delete(f"{chat}/messages/1").status_code == 204
    assert Message.objects.get().body == ""


def test_a_repeated_create_does_not_bring_it_back(api: Api, backlog: Backlog, chat: str) -> None:
    key = {"Idempotency-Key": "k"}
    first = api.post(f"{chat}/messages", {"body": TEXT}, **key)
    api.delete(f"{chat}/messages/1")

    repeat = api.post(f"{chat}/messages", {"body": TEXT}, **key)
    backlog.work()

    assert (repeat.status_code, repeat.json()) == (201, first.json())
    assert api.get(f"{chat}/messages/1").json()["body"] is None
    assert Message.objects.count() == 1


def test_the_command_erases_what_pends_and_is_queued(api: Api, backlog: Backlog, chat: str) -> None:
    for sender in ("Ada", "Bob"):
        api.post(f"{chat}/messages", {"body": f"by {sender}", "sender": sender})
    scope = ErasureScope(chat.split("/")[2], sender="Ada")

    assert count_all(scope) == ErasureResult(pending=1)
    assert erase_all(scope) == ErasureResult(pending=1)
    backlog.work()

    assert [*Message.objects.order_by("pk").values_list("body", "sender")] == [
        ("", None),
        ("by Bob", "Bob"),
    ]


def test_the_command_tells_of_messages_out_of_sight(api: Api, backlog: Backlog, chat: str) -> None:
    api.say(chat, TEXT)
    NumberAuthority.objects.update(is_drained=False)

    with pytest.raises(QueuedOutOfSight):
        erase_all(ErasureScope(chat.split("/")[2], chat_number=1))

    backlog.work()
    assert Message.objects.get().body == ""
