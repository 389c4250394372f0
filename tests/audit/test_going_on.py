"""The audit reads a large table in pieces, with few queries, and resumes when interrupted."""

import os
import re
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from applications.models import Application
from chats.models import Chat
from infra.jobs import only_run
from ingest.models import Parent
from ingest.records import RecordType
from messages_app.models import Message
from operations.audit import numbers, stats
from tests.api.client import Api
from tests.audit.results import Place, audit, found_nothing

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]

CHATS = 120

_NUMBER = r"message_number[`\"]"
#: A statement that counts a piece of a chat, and one that lists the numbers of one.
PIECE = re.compile(rf"COUNT\(DISTINCT .*{_NUMBER} >= \d+ AND .*{_NUMBER} < \d+")
LISTING = re.compile(rf"{_NUMBER} >= (\d+) AND .*{_NUMBER} <= (\d+)\) ORDER BY")


def reads_of(table: str, queries: Iterable[Mapping[str, str]]) -> list[str]:
    """The statements that read rows of this table."""
    named = re.compile(rf" FROM [`\"]{table}[`\"]")
    statements = (one["sql"] for one in queries)
    return [sql for sql in statements if sql.startswith("SELECT ") and named.search(sql)]


@pytest.fixture
def chats(api: Api) -> str:
    """The token of an application with many chats of ten messages and one of four thousand."""
    token = api.new_application().split("/")[-1]
    counts = {number: 4000 if number == 60 else 10 for number in range(1, CHATS + 1)}
    now = timezone.now()
    times = {"application_token": token, "created_at": now, "updated_at": now}
    Chat.objects.bulk_create(
        Chat(chat_number=chat, messages_count=count, number_ceiling=count, **times)
        for chat, count in counts.items()
    )
    Message.objects.bulk_create(
        Message(chat_number=chat, message_number=number, body="x", **times)
        for chat, count in counts.items()
        for number in range(1, count + 1)
    )
    Application.objects.update(chats_count=CHATS, number_ceiling=CHATS)
    return token


def lose(token: str, chat: int, *numbers: int) -> None:
    Message.objects.filter(
        application_token=token, chat_number=chat, message_number__in=numbers
    ).delete()
    Chat.objects.filter(chat_number=chat).update(messages_count=10 - len(numbers))


def test_what_is_well_is_seen_by_few_queries_in_pieces(
    chats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "PARENTS_PAGE", 50)
    monkeypatch.setattr(stats, "PIECE", 500)

    with CaptureQueriesContext(connection) as queries:
        assert found_nothing(audit())

    messages = reads_of("messages", queries)
    # 4000 messages are eight pieces, each of which is looked for in the index, the chats around
    # them four pages; few look for orphans.
    assert len([sql for sql in messages if PIECE.search(sql)]) >= 8
    assert len(messages) <= 36
    assert len(reads_of("chats", queries)) <= 12


def test_of_a_large_chat_only_the_pieces_with_gaps_are_read(
    chats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.audit.gaps.MAX_LISTED", 100)
    lost = {5, 6, 7, 1000, 1001, 3999}
    Message.objects.filter(chat_number=60, message_number__in=lost).delete()
    Chat.objects.filter(chat_number=60).update(messages_count=4000 - len(lost))

    with CaptureQueriesContext(connection) as queries:
        result = audit()

    gaps = [line.split(":")[0] for line in result.details("gaps").splitlines()]
    assert gaps == [
        "messages 5 to 7 missing", "messages 1000 to 1001 missing", "messages 3999 missing"
    ]  # fmt: skip
    messages = reads_of("messages", queries)
    assert len(messages) <= 80
    listed = [found for sql in messages if (found := LISTING.search(sql))]
    assert sum(int(last) - int(first) + 1 for first, last in (one.groups() for one in listed)) < 600


def test_an_audit_that_is_interrupted_goes_on_and_tells_all_once(
    chats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "PARENTS_PAGE", 10)
    for chat in (3, 57, 110):
        lose(chats, chat, 4)
    looked = interrupted_after(5, monkeypatch)

    with pytest.raises(CommandError, match="--resume goes on") as ended:
        call_command("audit", "--json")

    assert ended.value.returncode == 128 + signal.SIGTERM
    assert len(looked) == 5
    rest = audit("--resume")
    assert len(looked) < 5 + CHATS / 10
    assert {(one["chat_number"], one["check"]) for one in rest.findings} == {
        (chat, "gaps") for chat in (3, 57, 110)
    }
    assert len(rest.findings) == 3
    assert audit().findings == rest.findings


def interrupted_after(pages: int, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Any]]:
    """SIGTERM comes while so many pages have been looked at; the pages, as they are."""
    looked: list[Sequence[Any]] = []

    def no_pause() -> None: ...

    stats_of = stats.stats_of

    def look(
        kind: RecordType, parents: Sequence[Parent], pause: Callable[[], object] = no_pause
    ) -> Mapping[Any, stats.Stats]:
        if kind.name == "messages" and pause is not no_pause:  # a page, and no recheck
            looked.append([parent.key for parent in parents])
            if len(looked) == pages:
                os.kill(os.getpid(), signal.SIGTERM)
        return stats_of(kind, parents, pause)

    monkeypatch.setattr(numbers, "stats_of", look)
    # Each page is judged by itself, so that what was found before the end is kept.
    monkeypatch.setattr("operations.audit.checks.MAX_SUSPECTS", 1)
    return looked


def test_one_audit_at_a_time(db: None) -> None:
    with only_run("audit"), pytest.raises(CommandError, match="under way"):
        call_command("audit")


def test_resume_without_one_that_was_interrupted_is_a_whole_audit(used: Place) -> None:
    used.message(3).delete()

    assert audit().findings == audit("--resume").findings != []


def test_a_database_that_fails_is_a_finding(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError(2006, "gone away")

    monkeypatch.setattr("operations.audit.runner.only_run", fail)

    result = audit()

    assert (result.status, result.sorts) == (1, {("unreachable", "error")})
    assert "the database" in result.details("unreachable")


def test_a_terminal_is_told_in_words(used: Place, capsys: pytest.CaptureFixture[str]) -> None:
    used.messages.filter(message_number__in=(3, 4)).delete()

    with pytest.raises(SystemExit):
        call_command("audit")

    lines = capsys.readouterr().out.splitlines()
    why = "neither stored, nor pending, nor set aside, and no skip is recorded"
    assert f"error gaps {used.name}: messages 3 to 4 missing: {why}" in lines
    assert lines[-1] == "4 errors, 1 for information"
