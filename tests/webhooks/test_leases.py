"""Many endpoints and many workers: each endpoint by one worker, and none holds up another."""

import time
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any

import pytest
from django.utils import timezone

from applications.models import Application
from tests.api.client import Api
from tests.webhooks.conftest import row, subscribe
from tests.webhooks.receiver import Received, Receiver, receiver
from webhooks import leases, runner
from webhooks.models import Answer, Outcome, Webhook
from webhooks.runner import run


def test_an_endpoint_is_claimed_once(api: Api, application: str) -> None:
    subscribe(api, application, "http://127.0.0.1:1/")
    subscribe(api, application, "http://127.0.0.1:1/")

    first, second = list(leases.claim(10, [])), list(leases.claim(10, []))

    assert (len(first), second) == (2, [])


def test_a_row_that_was_read_before_a_rival_claimed_it_is_not_taken(
    api: Api, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(api, application, "http://127.0.0.1:1/")
    read_before = list(Webhook.objects.all())
    [rival] = leases.claim(1, [])
    monkeypatch.setattr(leases, "_candidates", lambda *_: read_before)

    assert not list(leases.claim(1, []))
    assert row({"id": rival.webhook_id}).lease == rival.lease


def test_the_lease_of_a_worker_that_died_ends_by_itself(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url)
    [dead] = leases.claim(1, [])
    run()
    assert not hook.received

    past = timezone.now() - timedelta(seconds=1)
    Webhook.objects.update(leased_until=past)
    run()

    assert hook.ids == ["1"]
    # The dead one comes back to life and reports a failure, which counts no more.
    leases.settle(dead, dead.position, Answer(Outcome.TIMEOUT))
    assert (row(webhook).state, str(row(webhook).position)) == ("ok", "1")


def test_a_worker_that_died_after_the_first_attempt_leaves_the_same_batch(
    api: Api, application: str, hook: Receiver
) -> None:
    subscribe(api, application, hook.url)
    [dead] = leases.claim(1, [])
    delivery = runner._prepare(dead)
    assert delivery is not None
    api.say(f"{application}/chats/1", "later")
    Webhook.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    run()

    assert (hook.received[0].message, hook.received[0].body) == (delivery.message, delivery.body)


def test_a_worker_that_was_suspended_sends_nothing_late(
    api: Api, application: str, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = subscribe(api, application, hook.url)
    [claimed] = leases.claim(1, [])
    delivery = runner._prepare(claimed)
    assert delivery is not None
    later = time.monotonic() + 60
    monkeypatch.setattr("webhooks.sending.time.monotonic", lambda: later)

    answer = runner._send(delivery)

    assert (answer.outcome, hook.received) == (Outcome.TIMEOUT, [])
    assert row(webhook).lease is not None


def test_the_application_that_has_waited_longest_goes_first(api: Api) -> None:
    ids = []
    for _ in range(3):
        application = api.new_application()
        api.new_chat(application)
        ids.append(subscribe(api, application, "http://127.0.0.1:1/")["id"])
    for place, webhook_id in enumerate(reversed(ids)):
        at = timezone.now() - timedelta(minutes=10 - place)
        Webhook.objects.filter(webhook_id=webhook_id).update(next_attempt_at=at)

    assert [one.webhook_id for one in leases.claim(2, [])] == ids[:0:-1]


def test_an_application_gets_few_of_the_slots(api: Api, application: str) -> None:
    for _ in range(10):
        subscribe(api, application, "http://127.0.0.1:1/")
    other = api.new_application()
    api.new_chat(other)
    subscribe(api, other, "http://127.0.0.1:1/")

    first = list(leases.claim(8, []))
    again = list(leases.claim(8, first))

    tokens = Counter(webhook.application_token for webhook in first)
    assert tokens == {application.split("/")[2]: 4, other.split("/")[2]: 1}
    assert not again


def test_one_endpoint_of_a_hundred_that_hangs_holds_up_no_other(api: Api, hook: Receiver) -> None:
    others_are_done = Event()

    def answer_last(handler: BaseHTTPRequestHandler) -> None:
        assert others_are_done.wait(10)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def note_end(handler: BaseHTTPRequestHandler, received: Received) -> None:
        answer(handler, received)
        if len(hook.received) == 99:
            others_are_done.set()

    answer = hook.answer
    hook.answer = note_end  # type: ignore[method-assign] # it does the same and one thing more
    with receiver() as hanging:
        hanging.replies = [answer_last]
        for number in range(100):
            application = api.new_application()
            api.new_chat(application)
            subscribe(api, application, hook.url if number else hanging.url)

        run()

    assert len(hook.received) == 99
    assert len(hanging.received) == 1
    assert {webhook.state for webhook in Webhook.objects.all()} == {"ok"}


def test_a_long_backlog_takes_turns_with_other_endpoints(
    api: Api, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SLOTS", 1)
    busy, quiet = api.new_application(), api.new_application()
    chat = api.new_chat(busy)
    for _ in range(3):
        api.post(f"{chat}/messages/bulk", {"messages": [{"body": "x"}] * 150})
    subscribe(api, busy, f"{hook.url}/busy")
    api.new_chat(quiet)
    subscribe(api, quiet, f"{hook.url}/quiet")

    run()

    paths = [received.path.rpartition("/")[2] for received in hook.received]
    assert paths == ["busy", "quiet", "busy", "busy", "busy", "busy"]


def test_applications_get_their_own_events_alone(api: Api) -> None:
    with ExitStack() as stack:
        hooks = {}
        for text in ("one", "two"):
            application = api.new_application()
            api.say(api.new_chat(application), text)
            hooks[text] = stack.enter_context(receiver())
            subscribe(api, application, hooks[text].url)

        run()

        for text, hook in hooks.items():
            [received] = hook.received
            token = received.content["application_token"]
            for event in received.content["events"]:
                item = event.get("message") or event["chat"]
                assert item["application_token"] == token
            assert received.content["events"][1]["message"]["body"] == text


def test_webhooks_of_an_application_that_is_gone_are_disabled(
    api: Api, application: str, hook: Receiver
) -> None:
    webhook = subscribe(api, application, hook.url, after="1")
    Webhook.objects.update(item=1)
    Application.objects.all().delete()

    run()

    assert (row(webhook).state, row(webhook).lease, hook.received) == ("disabled", None, [])


@pytest.mark.parametrize("part", ["read_batch", "send"])
def test_an_unexpected_error_holds_up_no_other_webhook(
    api: Api, application: str, hook: Receiver, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    bad = subscribe(api, application, f"{hook.url}/bad")
    other = api.new_application()
    api.new_chat(other)
    good = subscribe(api, other, f"{hook.url}/good")
    work, bad_row = getattr(runner, part), row(bad)

    def fail(first: Any, *arguments: Any, **options: Any) -> Any:
        if first == bad_row or "bad" in str(first):
            raise ValueError("a defect")
        return work(first, *arguments, **options)

    monkeypatch.setattr(runner, part, fail)

    run()

    assert [received.path for received in hook.received] == ["/hook/good"]
    assert row(good).state == "ok"
    assert (row(bad).state, row(bad).last_outcome, row(bad).lease) == ("failing", "error", None)
