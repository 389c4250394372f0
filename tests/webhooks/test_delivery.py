"""Deliveries: everything in order, nothing twice unless it failed, and signed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import WebhookVerificationError

from events.models import ApplicationEvent
from events.pages import Position
from events.removal import restart_logs
from tests.api.client import Api
from tests.webhooks.conftest import make_due, row, subscribe
from tests.webhooks.receiver import Receiver, Reply, reset
from webhooks import batches, leases
from webhooks.models import Answer, Outcome, Webhook
from webhooks.runner import run


def ids_of(api: Api, application: str) -> list[str]:
    """The ids of all entries of the log."""
    answer = api.get(f"{application}/events", limit=200).json()
    assert answer["next"] is None
    return [event["id"] for event in answer["results"]]


def test_all_events_come_in_order_as_the_log_shows_them(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    chat = f"{application}/chats/1"
    api.post(f"{chat}/messages/bulk", {"messages": [{"body": "x"}] * 3})
    api.patch(f"{chat}/messages/2", {"body": "ÿ"})

    run()

    [received] = hook.received
    shown = api.get(f"{application}/events").json()["results"]
    assert received.content == {
        "application_token": webhook["application_token"],
        "events": shown,
        "next_after": "3",
    }
    received.verify(webhook["secret"])
    assert row(webhook).position == Position(3)
    run()
    assert len(hook.received) == 1


def test_a_new_webhook_begins_with_what_is_new(api: Api, application: str, hook: Receiver) -> None:
    answer = api.post(f"{application}/webhooks", {"url": hook.url})
    assert answer.json()["position"] == "1"
    api.say(f"{application}/chats/1", "new")

    run()

    assert hook.ids == ["2"]


def test_a_long_log_comes_in_batches_without_a_gap(
    api: Api, application: str, hook: Receiver
) -> None:
    chat = f"{application}/chats/1"
    for _ in range(2):
        api.post(f"{chat}/messages/bulk", {"messages": [{"body": "x"}] * 90})
    subscribe(api, application, hook.url)

    run()

    assert [len(one.ids) for one in hook.received] == [100, 81]
    assert hook.ids == ids_of(api, application)
    assert [one.content["next_after"] for one in hook.received] == ["3.9", "3"]


def test_a_delivery_has_at_most_256_kib(api: Api, application: str, hook: Receiver) -> None:
    for _ in range(3):
        bodies = [{"body": "\x01" * 16_000}] * 4
        api.post(f"{application}/chats/1/messages/bulk", {"messages": bodies})
    subscribe(api, application, hook.url)

    run()

    assert max(len(one.body) for one in hook.received) <= 256 * 1024
    assert len(hook.received) > 3
    assert hook.ids == ids_of(api, application)


@pytest.mark.parametrize("failure", [Reply(500), Reply(302, {"Location": "/other"}), reset])
def test_a_retry_sends_the_same_batch_under_the_same_id(
    api: Api, application: str, hook: Receiver, failure: Any
) -> None:
    webhook = subscribe(api, application, hook.url)
    hook.replies = [failure]
    run()
    api.say(f"{application}/chats/1", "later")
    assert api.get(f"{application}/webhooks/{webhook['id']}").json()["state"] == "failing"
    make_due(webhook)

    run()

    first, again, later = hook.received
    assert (first.message, first.body) == (again.message, again.body)
    assert (first.ids, later.ids) == (["1"], ["2"])
    assert later.message != first.message
    assert row(webhook).state == "ok"


def test_a_failing_endpoint_is_not_called_before_its_pause_is_over(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    hook.replies = [Reply(500)]
    run()

    run()

    assert len(hook.received) == 1
    wait = row(webhook).next_attempt_at
    assert wait is not None
    assert timedelta(seconds=3) < wait - timezone.now() < timedelta(seconds=7)


def test_only_the_types_and_the_chat_that_are_wanted_come(
    api: Api, application: str, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "STEP", 2)
    api.new_chat(application)
    for text in "abc":
        api.say(f"{application}/chats/1", text)
        api.say(f"{application}/chats/2", text)
    api.patch(f"{application}/chats/2/messages/1", {"body": "y"})
    api.say(f"{application}/chats/1", "d")
    webhook = subscribe(api, application, hook.url, types=["message.created"], chat_number=2)

    run()

    events = [event for one in hook.received for event in one.content["events"]]
    assert [event["message"]["message_number"] for event in events] == [1, 2, 3]
    assert {(event["chat_number"], event["type"]) for event in events} == {(2, "message.created")}
    assert str(row(webhook).position) == ids_of(api, application)[-1]


def test_two_secrets_sign_while_one_is_replaced(api: Api, application: str, hook: Receiver) -> None:
    webhook = subscribe(api, application, hook.url)
    path = f"{application}/webhooks/{webhook['id']}"
    new = api.post(f"{path}/secret").json()["secret"]

    run()

    [received] = hook.received
    assert len(received.headers["webhook-signature"].split(" ")) == 2
    received.verify(webhook["secret"])
    received.verify(new)

    Webhook.objects.update(former_until=timezone.now() - timedelta(seconds=1))
    api.say(f"{application}/chats/1", "a day later")
    run()

    hook.received[1].verify(new)
    with pytest.raises(WebhookVerificationError):
        hook.received[1].verify(webhook["secret"])


def test_a_body_that_is_changed_on_the_way_does_not_verify(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    run()
    [received] = hook.received

    forged = type(received)(received.path, received.headers, received.body + b" ")

    with pytest.raises(WebhookVerificationError):
        forged.verify(webhook["secret"])


def test_a_replay_sends_everything_after_it_again_under_new_ids(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    api.post(f"{application}/chats/1/messages/bulk", {"messages": [{"body": "x"}] * 3})
    run()

    answer = api.post(f"{application}/webhooks/{webhook['id']}/replay", {"after": "2.1"})

    assert (answer.status_code, answer.json()) == (202, {"position": "2.1"})
    run()
    first, again = hook.received
    assert (first.ids, again.ids) == (["1", "2.1", "2.2", "2"], ["2.2", "2"])
    assert first.message != again.message


def test_an_erased_message_is_a_tombstone_in_a_retry(
    api: Api, application: str, hook: Receiver
) -> None:
    api.say(f"{application}/chats/1", "a secret")
    webhook = subscribe(api, application, hook.url, types=["message.created"])
    hook.replies = [Reply(503)]
    run()
    api.delete(f"{application}/chats/1/messages/1")
    make_due(webhook)

    run()

    first, again = hook.received
    assert b"a secret" in first.body
    assert b"a secret" not in again.body
    assert (first.message, first.ids) == (again.message, again.ids)


def test_events_that_were_removed_before_they_were_sent_are_told(
    api: Api, application: str, hook: Receiver
) -> None:
    subscribe(api, application, hook.url)
    api.say(f"{application}/chats/1", *"abc")
    ApplicationEvent.objects.filter(event_number__lte=2).delete()

    run()

    [received] = hook.received
    assert (received.content["missed_before"], received.ids) == (3, ["3", "4"])


def test_a_restored_database_goes_on_with_a_note_of_what_is_lost(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    api.say(f"{application}/chats/1", "x")
    run()
    restart_logs()
    hook.replies = [Reply(500)]
    run()
    api.say(f"{application}/chats/1", "after the restore")
    make_due(webhook)

    run()

    _, note, again, new = hook.received
    lowest = 10**9 + 3
    assert note.content == {
        "application_token": webhook["application_token"],
        "missed_before": lowest,
        "events": [],
        "next_after": str(lowest - 1),
    }
    assert (again.message, again.ids) == (note.message, [])
    assert (new.ids, "missed_before" in new.content) == ([str(lowest)], False)


def test_a_test_message_is_sent_to_a_webhook_that_is_off(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url, is_active=False)
    path = f"{application}/webhooks/{webhook['id']}"
    hook.replies = [Reply(418)]
    answer = api.post(f"{path}/test")
    assert answer.status_code == 202

    run()

    [received] = hook.received
    received.verify(webhook["secret"])
    assert received.content == {
        "application_token": webhook["application_token"],
        "test": True,
        "events": [],
        "next_after": "0",
    }
    shown = api.get(path).json()
    assert (shown["last_status"], shown["state"], shown["position"]) == (418, "ok", "0")
    assert shown["last_attempt_at"] > answer.json()["requested_at"]
    run()
    assert len(hook.received) == 1


def test_a_change_while_a_delivery_is_under_way_sends_its_events_again(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, "http://127.0.0.1:1/")
    [claimed] = leases.claim(1, [])
    api.patch(f"{application}/webhooks/{webhook['id']}", {"url": hook.url})

    leases.settle(claimed, Position(1), Answer(Outcome.DELIVERED, 200))

    run()
    assert hook.ids == ["1"]
    assert row(webhook).lease is None
