"""Each change of a row has its event, once, in the transaction of the change."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from events.models import ApplicationEvent
from ingest.dead_letters.replay import replay
from ingest.dead_letters.set_aside import set_aside
from ingest.erasure import erase, erase_stored
from ingest.idempotent_insert import store_rows
from ingest.models import DeadLetter
from ingest.records import NumberedRow
from messages_app.models import Message
from messages_app.records import MESSAGES
from retention.purge import purge
from tests.api.client import Api
from tests.conversations.runs import exported, imported
from tests.events.rows import Happened, log_of, messages_in
from tests.rows import new_chat, new_message

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]


def token_of(application: str) -> str:
    return application.split("/")[2]


def queued(token: str, chat: int, *numbers: int, body: str = "x") -> list[NumberedRow]:
    """Messages as a worker gets them."""
    return [new_message(token, chat, body).numbered(number) for number in numbers]


def test_creates_edits_and_erasures_are_logged(api: Api) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    api.say(chat, "one")
    api.post(f"{chat}/messages/bulk", {"messages": [{"body": "x"}] * 40})
    api.patch(f"{chat}/messages/2", {"body": "y"})
    api.put(chat, {"name": "another"})
    api.put(application, {"name": "another"})
    api.delete(f"{chat}/messages/2")
    api.delete(f"{chat}/messages/2")

    assert log_of(application) == [
        Happened("chat.created", 1),
        Happened("message.created", 1, 1, 1),
        Happened("message.created", 1, 2, 41),
        Happened("message.updated", 1, 2, 2, version=2),
        Happened("chat.updated", 1, version=2),
        Happened("application.updated", None, version=2),
        Happened("message.erased", 1, 2, 2, version=3),
    ]


def test_a_change_that_is_refused_has_none(api: Api) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    api.say(chat, "one")
    before = log_of(application)

    api.patch(f"{chat}/messages/1", {"body": "y"}, **{"If-Match": '"9"'})
    api.patch(f"{chat}/messages/9", {"body": "y"})
    api.post(f"{application}/chats/9/messages", {"body": "y"})
    api.put(application, {"name": " "})

    assert log_of(application) == before


def test_a_run_ends_where_a_number_is_missing_or_a_chat_ends(api: Api) -> None:
    application = api.new_application()
    token = token_of(application)
    for _ in range(2):
        api.new_chat(application)

    store_rows(queued(token, 2, 1, 2) + queued(token, 1, 5, 1, 2))

    assert log_of(application)[2:] == [
        Happened("message.created", 1, 1, 2),
        Happened("message.created", 1, 5, 5),
        Happened("message.created", 2, 1, 2),
    ]


def test_a_row_that_is_delivered_again_has_one_event(api: Api) -> None:
    application = api.new_application()
    api.new_chat(application)
    rows = queued(token_of(application), 1, 1, 2, 3)

    store_rows(rows[:2])
    store_rows(rows)
    store_rows(rows)

    assert messages_in(log_of(application)) == [(1, 1), (1, 2), (1, 3)]


def test_rows_beside_one_that_is_refused_have_their_events(api: Api) -> None:
    """The batch is halved until the row is found; no attempt that failed leaves a gap."""
    application = api.new_application()
    api.new_chat(application)
    rows = queued(token_of(application), 1, 1, 2, 3, 2**70, 4, 5, 6)

    store_rows(rows)

    assert sorted(messages_in(log_of(application))) == [(1, n) for n in range(1, 7)]


def test_rows_of_several_applications_and_kinds_are_stored_together(api: Api) -> None:
    applications = [api.new_application() for _ in range(3)]
    rows = []
    for application in reversed(applications):
        token = token_of(application)
        rows += queued(token, 1, 1, 2)
        rows.append(new_chat(token, "a chat").numbered(1))

    store_rows(rows)

    for application in applications:
        assert log_of(application) == [
            Happened("chat.created", 1),
            Happened("message.created", 1, 1, 2),
        ]


def test_rows_of_a_lost_application_are_stored(api: Api) -> None:
    store_rows(queued("0" * 24, 1, 1))

    assert Message.objects.count() == 1
    assert not ApplicationEvent.objects.exists()


def test_a_batch_larger_than_a_statement_is_one_run(api: Api) -> None:
    application = api.new_application()
    api.new_chat(application)

    store_rows(queued(token_of(application), 1, *range(1, 1501)))

    assert log_of(application)[1:] == [Happened("message.created", 1, 1, 1500)]


def test_an_erasure_of_many_logs_those_that_were_not_erased(api: Api) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    api.say(chat, "one", "two", "three")
    api.delete(f"{chat}/messages/2")
    token = token_of(application)

    assert erase_stored(MESSAGES, [(token, 1, number) for number in (1, 2, 3)]) == 2

    erased = [event.first for event in log_of(application) if event.type == "message.erased"]
    assert erased == [2, 1, 3]


def test_a_dead_letter_has_its_event_when_it_is_replayed(api: Api) -> None:
    application = api.new_application()
    api.new_chat(application)
    set_aside(queued(token_of(application), 1, 1)[0], "a test")
    assert messages_in(log_of(application)) == []

    replay(DeadLetter.objects.get())

    assert messages_in(log_of(application)) == [(1, 1)]


def test_a_dead_letter_that_is_erased_is_created_and_erased(api: Api) -> None:
    application = api.new_application()
    api.new_chat(application)
    token = token_of(application)
    set_aside(queued(token, 1, 1)[0], "a test")

    erase(MESSAGES, (token, 1, 1))

    assert log_of(application)[1:] == [
        Happened("message.created", 1, 1, 1),
        Happened("message.erased", 1, 1, 1, version=2),
    ]


def test_a_purge_has_none(api: Api) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    api.say(chat, "one", "two")
    Message.objects.update(created_at=timezone.now() - timedelta(days=2))
    before = log_of(application)

    purge([token_of(application)], timezone.now() - timedelta(days=1))

    assert not Message.objects.exists()
    assert log_of(application) == before


def test_an_imported_application_has_events_like_any_other(api: Api, tmp_path: Path) -> None:
    application = api.new_application()
    for _ in range(2):
        api.say(api.new_chat(application), "one", "two")
    (tmp_path / "export.jsonl").write_bytes(exported(token_of(application)))

    result = imported(tmp_path / "export.jsonl")
    [copy] = result["applications"]
    log = log_of(f"/applications/{copy['token']}")

    assert [event.chat for event in log if event.type == "chat.created"] == [1, 2]
    assert messages_in(log) == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_the_audit_finds_a_gap(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    application = api.new_application()
    api.say(api.new_chat(application), "one", "two", "three")
    ApplicationEvent.objects.filter(event_number=2).delete()

    with pytest.raises(SystemExit):
        call_command("audit")

    assert "1 of the events 1 to 4 are missing" in capsys.readouterr().out
