"""Late copies of a purged message are dropped, whichever way they arrive."""

from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection

from ingest import late_rows
from ingest.dead_letters.replay import replay
from ingest.dead_letters.set_aside import set_aside
from ingest.idempotency import RequestKey
from ingest.idempotent_insert import rows_not_stored, store_rows
from ingest.models import DeadLetter, IdempotencyKey
from ingest.records import NumberedRow
from tests.audit.results import audit
from tests.purging.conftest import OldChat
from tests.rows import new_message

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]


def delivered_again(chat: OldChat, number: int) -> NumberedRow:
    """The row of a stored message, as its task message has it."""
    stored = chat.message(number).get()
    row = new_message(
        chat.token,
        chat.number,
        stored.body,
        acceptance=stored.acceptance.hex,
        accepted_at=stored.created_at,
    )
    return row.numbered(number, request=RequestKey("a" * 32, "b" * 32))


def test_a_message_that_is_delivered_again_is_dropped_and_takes_none_with_it(
    chat: OldChat,
) -> None:
    again = [delivered_again(chat, number) for number in (3, 8)]
    chat.purge()
    fresh = new_message(chat.token, chat.number, "fresh").numbered(11)
    IdempotencyKey.objects.all().delete()

    store_rows([*again, fresh])

    assert chat.numbers == [9, 10, 11]
    assert not IdempotencyKey.objects.exists()
    assert not DeadLetter.objects.exists()
    assert rows_not_stored(again) == []


def test_a_stored_one_beside_it_is_known_as_ever(chat: OldChat) -> None:
    again = [delivered_again(chat, number) for number in (3, 9)]
    chat.purge()

    store_rows(again)

    assert chat.numbers == [9, 10]
    assert not DeadLetter.objects.exists()


def test_fresh_rows_cost_one_read(chat: OldChat) -> None:
    chat.purge()
    fresh = [new_message(chat.token, chat.number, "x").numbered(number) for number in (11, 12)]

    with connection.execute_wrapper(counting := Counting()):
        store_rows(fresh)

    first_words = [sql.split()[0] for sql in counting.statements]
    events = ["UPDATE", "SELECT", "INSERT"]
    assert [word for word in first_words if word != "BEGIN"] == ["INSERT", *events, "SELECT"]


class Counting:
    """The statements that a block sends."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.statements.append(sql)
        return execute(sql, params, many, context)


def test_a_dead_letter_of_a_purged_number_is_told_and_removed_by_its_replay(
    chat: OldChat,
) -> None:
    row = delivered_again(chat, 4)
    chat.message(4).delete()
    set_aside(row, "a test")
    chat.purge()
    assert "purged by now" in audit().details("dead_letters")

    replay(DeadLetter.objects.get())

    assert not DeadLetter.objects.exists()
    assert chat.numbers == [9, 10]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_a_row_that_is_being_inserted_while_its_number_is_purged_goes_with_the_others(
    chat: OldChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = delivered_again(chat, 4)
    chat.message(4).delete()
    inserted, may_commit = Event(), Event()

    def late(rows: list[NumberedRow]) -> list[NumberedRow]:
        found = late_rows.purged_rows(rows)
        inserted.set()
        assert may_commit.wait(10)
        return found

    def insert() -> None:
        store_rows([row])
        connection.close()

    monkeypatch.setattr("ingest.idempotent_insert.purged_rows", late)
    inserting = Thread(target=insert)
    inserting.start()
    assert inserted.wait(10)

    def commit_soon() -> None:
        wait_for_lock()
        may_commit.set()

    commits_soon = Thread(target=commit_soon)
    commits_soon.start()

    chat.purge()

    inserting.join(10)
    commits_soon.join(10)
    assert chat.numbers == [9, 10]


def wait_for_lock() -> None:
    """Return when the purge is seen to wait for the row that is not committed yet."""
    with connection.cursor() as cursor:
        for _ in range(500):
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST"
                " WHERE DB = DATABASE() AND INFO LIKE 'DELETE FROM `messages`%'"
            )
            if cursor.fetchone()[0]:
                break
            cursor.execute("SELECT SLEEP(0.01)")
    connection.close()
