"""On SIGINT or SIGTERM a batch is stored or not, and the command reports the last stored line."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from conversations import named_messages
from ingest import database_numbers
from ingest.database_numbers import RowOutcome
from ingest.records import NewRow
from messages_app.models import Message
from tests.conversations.runs import everything, imported, run_import, standard_input
from tests.conversations.test_going_on import Interrupting
from tests.conversations.texts import as_lines, by_application, conversations

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_batches")]

SAID = conversations(250, chats=2)
CONTENT = as_lines(SAID)
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_while_reading_what_is_not_stored_yet_is_left_for_the_next_run(
    number: signal.Signals, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), number)

    standard_input(monkeypatch, Interrupting(CONTENT, len(CONTENT) // 2, interrupt))
    run = run_import("-")
    assert f"interrupted by {number.name} after line 100" in str(run.error)
    assert run.error is not None
    assert run.error.returncode == status
    assert Message.objects.count() == run.result["messages"] == 100
    standard_input(monkeypatch, CONTENT)
    assert imported("-")["messages"] == 150
    assert everything() == by_application(SAID)


def test_while_storing_the_batch_is_finished_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "conversations.jsonl"
    file.write_bytes(CONTENT)

    def interrupt_and_insert(rows: Sequence[NewRow]) -> list[RowOutcome]:
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGTERM)
        return database_numbers.number_and_insert(rows)

    monkeypatch.setattr(named_messages, "number_and_insert", interrupt_and_insert)
    run = run_import(file)
    assert "interrupted by SIGTERM after line 100" in str(run.error)
    assert Message.objects.count() == 100


def test_the_handlers_of_before_are_back_afterwards(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number, _ in SIGNALS]
    file = tmp_path / "conversations.jsonl"
    file.write_bytes(CONTENT)
    imported(file)
    assert [signal.getsignal(number) for number, _ in SIGNALS] == before
