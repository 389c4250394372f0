"""The count job: correct despite races and kills, at a cost proportional to the changes."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from applications.models import Application
from applications.services import create_application
from chats.models import Chat
from infra.database import in_transaction
from infra.jobs import JobIsRunning, only_run
from infra.models import Job
from ingest.database_numbers import number_and_store
from ingest.models import CountState
from ingest.records import RecordType
from ingest.submission import Submission
from messages_app.models import Message
from operations import counts
from tests.rows import create_chat, create_message, new_message

pytestmark = [pytest.mark.both, pytest.mark.django_db]


@pytest.fixture
def token() -> str:
    """An application with three chats of 0, 1 and 2 messages, never counted."""
    token = create_application(name="a").token
    for number in (1, 2, 3):
        create_chat(application_token=token, name="c")
        for _ in range(number - 1):
            say(token, number)
    return token


def say(token: str, chat_number: int) -> None:
    create_message(application_token=token, chat_number=chat_number, body="x")


def messages_counts() -> list[int]:
    return list(Chat.objects.order_by("chat_number").values_list("messages_count", flat=True))


def flagged() -> int:
    parents: tuple[type[Application | Chat], ...] = (Application, Chat)
    return sum(p._default_manager.exclude(count_state=CountState.CURRENT).count() for p in parents)


def before_counting(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen once, after the flags are taken and before the rows are counted."""
    _around_counting(monkeypatch, act, before=True)


def after_counting(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen once, after the rows are counted and before the count is written."""
    _around_counting(monkeypatch, act, before=False)


def _around_counting(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], *, before: bool
) -> None:
    count = counts.count_children
    pending = [act]

    def counting(kind: RecordType, parents: Any) -> Any:
        if kind.count_field == "messages_count" and before and pending:
            pending.pop()()
        actual = count(kind, parents)
        if kind.count_field == "messages_count" and not before and pending:
            pending.pop()()
        return actual

    monkeypatch.setattr(counts, "count_children", counting)


def test_counts_are_true_after_the_job(token: str) -> None:
    tallies = counts.reconcile()

    assert Application.objects.get().chats_count == 3
    assert messages_counts() == [0, 1, 2]
    assert (tallies["chats_count"].corrected, tallies["messages_count"].corrected) == (1, 2)
    assert flagged() == 0


def test_a_count_that_changed_raises_the_version_and_another_does_not(token: str) -> None:
    counts.reconcile()
    versions = dict(Chat.objects.values_list("chat_number", "version"))
    say(token, 2)

    counts.reconcile()

    assert dict(Chat.objects.values_list("chat_number", "version")) == {
        **versions,
        2: versions[2] + 1,
    }


@pytest.mark.parametrize("when", [before_counting, after_counting])
def test_a_message_created_while_the_job_counts_is_not_missed(
    token: str, monkeypatch: pytest.MonkeyPatch, when: Callable[..., None]
) -> None:
    when(monkeypatch, lambda: say(token, 3))

    counts.reconcile()
    assert flagged() == 1
    counts.reconcile()

    assert messages_counts() == [0, 1, 3]
    assert flagged() == 0


def test_a_chat_that_never_rests_is_counted_all_the_same(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_counting(monkeypatch, lambda: say(token, 3))

    counts.reconcile()

    assert messages_counts() == [0, 1, 2]


@pytest.mark.parametrize("when", [before_counting, after_counting])
def test_a_job_that_dies_loses_no_flag(
    token: str, monkeypatch: pytest.MonkeyPatch, when: Callable[..., None]
) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    when(monkeypatch, die)
    with pytest.raises(KeyboardInterrupt):
        counts.reconcile()

    counts.reconcile()

    assert messages_counts() == [0, 1, 2]
    assert flagged() == 0


def test_a_killed_job_is_taken_over_when_its_hold_ends(token: str) -> None:
    with pytest.raises(JobIsRunning), only_run(counts.COUNT_JOB):
        counts.reconcile()
    with only_run(counts.COUNT_JOB):
        Job.objects.update(held_until="2020-01-01T00:00:00Z")
        counts.reconcile()

    assert messages_counts() == [0, 1, 2]


def test_an_overtaken_job_writes_nothing_over_its_successor(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtake() -> None:
        Job.objects.update(held_until="2020-01-01T00:00:00Z")
        say(token, 3)
        counts.reconcile()

    after_counting(monkeypatch, overtake)

    counts.reconcile()

    assert messages_counts() == [0, 1, 3]
    assert flagged() == 0


@pytest.mark.django_db(transaction=True)
def test_the_job_and_many_writers_do_not_hurt_each_other() -> None:
    tokens = [create_application(name="a").token for _ in range(3)]
    for token in tokens * 4:
        create_chat(application_token=token, name="c")
    rows = [Submission([new_message(token, n, "x")]) for token in tokens for n in range(1, 5)]

    def write(number: int) -> None:
        shuffled = random.Random(number).sample(rows, len(rows))
        for _ in range(15):
            assert not any(isinstance(outcome, Exception) for outcome in number_and_store(shuffled))
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        while not all(writer.done() for writer in writers):
            counts.reconcile(everything=True)
        for writer in writers:
            writer.result()
    counts.reconcile()

    assert set(Chat.objects.values_list("messages_count", flat=True)) == {4 * 15}
    assert set(Application.objects.values_list("chats_count", flat=True)) == {4}
    assert flagged() == 0


def test_an_update_that_loses_every_deadlock_is_done_row_by_row(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = in_transaction

    def losing_for_many_rows(update: Any) -> Any:
        if update.func.__self__.count() > 1:
            raise OperationalError(1213, "Deadlock found")
        return attempt(update)

    monkeypatch.setattr(counts, "in_transaction", losing_for_many_rows)

    counts.reconcile()

    assert messages_counts() == [0, 1, 2]
    assert flagged() == 0


def test_a_dry_run_reports_and_changes_nothing(token: str) -> None:
    tallies = counts.reconcile(dry_run=True)

    assert tallies["messages_count"].corrected == 2
    assert messages_counts() == [0, 0, 0]
    assert flagged() == 3


def test_all_recounts_what_nobody_flagged(token: str) -> None:
    counts.reconcile()
    Chat.objects.update(messages_count=77)
    Application.objects.update(chats_count=77)

    counts.reconcile()
    assert messages_counts() == [77, 77, 77]
    counts.reconcile(everything=True)

    assert messages_counts() == [0, 1, 2]
    assert Application.objects.get().chats_count == 3


def test_the_price_is_that_of_what_was_flagged(token: str) -> None:
    Chat.objects.bulk_create(
        Chat(
            application_token=token,
            chat_number=number,
            name="c",
            created_at="2026-01-01T00:00:00Z",
            updated_at="2026-01-01T00:00:00Z",
        )
        for number in range(4, 4 + 3 * counts.BATCH)
    )
    ids = list(Chat.objects.filter(chat_number__gt=3).values_list("pk", flat=True))
    counts.reconcile(everything=True)

    def queries(flag: int) -> int:
        Chat.objects.filter(pk__in=ids[:flag]).update(count_state=CountState.CHANGED)
        with CaptureQueriesContext(connection) as captured:
            counts.reconcile()
        return len(captured)

    assert queries(1) == queries(counts.BATCH - 1)
    assert queries(0) < queries(1) < queries(3 * counts.BATCH)


def test_chats_of_many_applications_are_counted_together() -> None:
    tokens = [create_application(name="a").token for _ in range(counts.BATCH + 5)]
    for token in tokens:
        create_chat(application_token=token, name="c")
        say(token, 1)

    counts.reconcile()

    assert set(Chat.objects.values_list("messages_count", flat=True)) == {1}
    assert set(Application.objects.values_list("chats_count", flat=True)) == {1}


def test_the_command_reports_what_it_did(token: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("reconcile_counts", "--dry-run")
    call_command("reconcile_counts")
    call_command("reconcile_counts", "--json", "--all")

    assert capsys.readouterr().out.splitlines() == [
        "chats_count: 1 counted, 1 would be corrected",
        "messages_count: 2 counted, 2 would be corrected",
        "chats_count: 1 counted, 1 corrected",
        "messages_count: 2 counted, 2 corrected",
        (
            '{"chats_count": {"counted": 1, "corrected": 0}, '
            '"messages_count": {"counted": 3, "corrected": 0}}'
        ),
    ]
    assert Job.objects.get().outcome["messages_count"] == {"counted": 3, "corrected": 0}
    assert Message.objects.count() == 3
