"""A purge removes rows older than the date and leaves everything else unchanged."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from chats.models import ChatKey
from infra import jobs
from infra.jobs import JobIsRunning, only_run
from infra.models import Job
from ingest.idempotency import records
from ingest.late_rows import PURGE_JOB
from ingest.models import IdempotencyKey, PurgeHorizon
from retention import purge as running
from retention import tasks
from retention.purge import PurgeResult, dry_run, mark, purge
from retention.tasks import purge_old
from tests.api.client import Api
from tests.audit.results import audit, found_nothing
from tests.purging.conftest import OldChat, old_chat

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]


def test_what_is_old_goes_and_the_rest_stays(api: Api, chat: OldChat) -> None:
    found = chat.purge()

    assert found == {"messages": 8, "chats": 1, "held_up": 0, "dry_run": False}
    assert chat.numbers == [9, 10]
    assert chat.purged_through == 8
    assert chat.purge()["messages"] == 0


def test_a_purged_message_is_not_found(api: Api, chat: OldChat) -> None:
    chat.purge()

    assert api.get(f"{chat.path}/messages/8").status_code == 404
    assert api.put(f"{chat.path}/messages/8", {"body": "x"}).status_code == 404
    assert api.get(f"{chat.path}/messages/9").status_code == 200


def test_lists_and_numbers_go_on(api: Api, chat: OldChat) -> None:
    chat.purge()

    assert api.say(chat.path, "next") == [11]
    page = api.get(f"{chat.path}/messages", limit=2).json()
    assert [one["message_number"] for one in page["results"]] == [9, 10]
    assert page["previous"] is None
    following = api.get(page["next"]).json()
    assert [one["message_number"] for one in following["results"]] == [11]
    behind_cursor = api.get(f"{chat.path}/messages", after=3, limit=1).json()
    assert [one["message_number"] for one in behind_cursor["results"]] == [9]


def test_the_count_follows_and_the_audit_finds_nothing(api: Api, chat: OldChat) -> None:
    version = chat.chat.get().version
    chat.purge()

    call_command("reconcile_counts", "--json", stdout=StringIO())

    assert api.get(chat.path).json()["messages_count"] == 2
    assert chat.chat.get().version > version
    assert found_nothing(audit())


def test_a_chat_of_which_everything_went_goes_on(api: Api, chat: OldChat) -> None:
    chat.grow_old()

    assert chat.purge()["messages"] == 10

    call_command("reconcile_counts", "--json", stdout=StringIO())
    assert found_nothing(audit())
    assert api.get(f"{chat.path}/messages").json()["results"] == []
    assert api.say(chat.path, "x") == [11]
    call_command("reconcile_counts", "--json", stdout=StringIO())
    assert found_nothing(audit())


def test_old_messages_behind_a_young_one_stay(api: Api, chat: OldChat) -> None:
    chat.message(5).update(created_at=timezone.now())

    assert chat.purge()["messages"] == 4
    assert chat.numbers == [5, 6, 7, 8, 9, 10]


def test_others_are_left_alone(api: Api, chat: OldChat) -> None:
    other = old_chat(api.new_chat())
    api.say(other.path, *"abc")
    other.grow_old()

    chat.purge()

    assert other.numbers == [1, 2, 3]


def test_chats_without_old_messages_are_no_hindrance(api: Api, chat: OldChat) -> None:
    application = chat.path.rpartition("/chats/")[0]
    last = [old_chat(api.new_chat(application)) for _ in range(120)][-1]
    api.say(last.path, "a")
    last.grow_old()

    assert chat.purge()["chats"] == 2
    assert last.numbers == []


def test_a_dry_run_says_the_same_and_changes_nothing(api: Api, chat: OldChat) -> None:
    found = chat.purge("--dry-run")

    assert found == {"messages": 8, "chats": 1, "held_up": 0, "dry_run": True}
    assert chat.numbers == list(range(1, 11))
    assert chat.purged_through == 0
    assert not PurgeHorizon.objects.exists()


def test_numbers_that_were_skipped_are_no_hindrance(api: Api, chat: OldChat) -> None:
    chat.messages.filter(message_number__in=(1, 4, 5)).delete()

    assert chat.purge()["messages"] == 5
    assert chat.numbers == [9, 10]


def test_a_repeat_of_a_purged_request_gets_its_first_answer(api: Api, chat: OldChat) -> None:
    key = {"Idempotency-Key": "once"}
    first = api.post(f"{chat.path}/messages", {"body": "x"}, **key)
    chat.purge(before=timezone.now().isoformat())

    again = api.post(f"{chat.path}/messages", {"body": "x"}, **key)

    assert (again.status_code, again.json()) == (201, first.json())
    assert api.get(f"{chat.path}/messages/11").status_code == 404
    assert chat.numbers == []
    call_command("reconcile_counts", "--json", stdout=StringIO())
    assert found_nothing(audit())


def test_a_purge_that_was_killed_is_found_and_finished_by_the_next(chat: OldChat) -> None:
    mark(ChatKey(chat.token, chat.number), 8)

    result = audit()
    assert "8 messages up to 8 are stored, although they were purged" in result.details("purges")
    assert not result.ok
    chat.purge(before=(timezone.now() - timedelta(days=30)).isoformat())

    assert chat.numbers == [9, 10]
    call_command("reconcile_counts", "--json", stdout=StringIO())
    assert found_nothing(audit())


@pytest.mark.parametrize(
    ("application", "before", "complaint"),
    [
        ("f" * 24, "2026-01-31", "No application has the token ffff"),
        ("", "2026-13-31", "is not a date such as"),
        ("", "2999-01-01", "is in the future"),
    ],
)
def test_what_makes_no_sense_is_refused(
    chat: OldChat, application: str, before: str, complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("purge", "--application", application or chat.token, "--before", before)
    assert chat.purged_through == 0


def test_one_purge_at_a_time(chat: OldChat) -> None:
    with only_run(PURGE_JOB), pytest.raises(CommandError, match="under way"):
        chat.purge()


class Enough(Exception):
    """Ends a purge."""


def enough(_: int) -> None:
    raise Enough


@pytest.fixture
def nothing_old(api: Api, monkeypatch: pytest.MonkeyPatch) -> OldChat:
    """The last of some chats of which nothing is old, on pages of two."""
    monkeypatch.setattr(running, "MOST_PREFIXES", 2)
    application = api.new_application()
    chats = [api.new_chat(application) for _ in range(5)]
    for path in chats:
        api.say(path, "young")
    return old_chat(chats[-1])


@pytest.mark.parametrize("work", [purge, dry_run])
def test_a_purge_that_finds_nothing_can_be_ended(
    nothing_old: OldChat, work: Callable[..., PurgeResult]
) -> None:
    with pytest.raises(Enough):
        work([nothing_old.token], timezone.now() - timedelta(days=1), enough)


def test_a_purge_that_finds_nothing_holds_on_to_its_job(
    nothing_old: OldChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "HOLD", timedelta(0))
    calls: list[int] = []

    def overtaken(messages: int) -> None:
        calls.append(messages)
        Job.objects.filter(name=PURGE_JOB).update(run=F("run") + 1)

    with pytest.raises(JobIsRunning):
        purge([nothing_old.token], timezone.now() - timedelta(days=1), overtaken)
    assert calls == [0]


def test_forgotten_keys_give_way_too(chat: OldChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_DELETED_AT_ONCE", 1)
    old = timezone.now() - 2 * records.KEPT_FOR
    for _ in range(3):
        IdempotencyKey.objects.create(name=uuid4(), fingerprint=uuid4(), accepted_at=old)

    with pytest.raises(Enough):
        purge([], timezone.now() - timedelta(days=1), enough)

    assert IdempotencyKey.objects.count() == 2


def test_the_nightly_purge_ends_in_time_where_nothing_is_old(
    nothing_old: OldChat, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"retention_days": 1})
    monkeypatch.setattr(tasks, "MAX_SECONDS", -1)

    purge_old()

    assert [one.outcome for one in Job.objects.filter(name=PURGE_JOB)] == [{}]


def test_each_night_what_is_older_than_the_setting_goes(chat: OldChat, settings: Settings) -> None:
    purge_old()
    assert chat.numbers == list(range(1, 11))
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"retention_days": 1})

    purge_old()

    assert chat.numbers == [9, 10]
