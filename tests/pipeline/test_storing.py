"""Each numbered row is stored once, whatever else its batch contains."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

from applications.services import create_application
from chats.models import Chat
from infra.redis_client import server_of
from ingest import bulk_insert
from ingest.database_numbers import number_and_store
from ingest.idempotent_insert import store_one_by_one, store_rows
from ingest.models import DeadLetter
from ingest.records import Lease, NumberedRow
from ingest.redis_keys import attempt
from ingest.submission import Submission
from ingest.writer import retry_while_database_is_down
from messages_app.models import Message
from tests.redis_server import RedisServer
from tests.rows import new_chat, new_message
from tests.shards import ONLY

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]

TOKEN = "a" * 24


def message(number: int, body: str = "good morning", chat: int = 1) -> NumberedRow:
    return new_message(TOKEN, chat, body).numbered(number)


def messages(count: int) -> list[NumberedRow]:
    return [message(number, f"message {number}") for number in range(1, count + 1)]


def refused() -> NumberedRow:
    """A message that no database takes."""
    return message(2**70)


def stored_numbers() -> list[int]:
    return list(Message.objects.order_by("message_number").values_list("message_number", flat=True))


def test_a_stored_row_is_what_was_accepted() -> None:
    row = message(7, "שלום 🙂\n%s '\"\\")

    store_rows([row])

    stored = Message.objects.get()
    accepted = row.instance()
    for field in Message._meta.concrete_fields:
        if field.name != "id":
            assert getattr(stored, field.name) == getattr(accepted, field.name), field.name


def test_a_chat_is_stored_with_and_without_the_numbers_that_it_may_give() -> None:
    with_lease = new_chat(TOKEN, "one").numbered(1, Lease(epoch=3, first=1, last=50))
    without = new_chat(TOKEN, "two").numbered(2)

    store_rows([without, with_lease])

    one, two = Chat.objects.order_by("chat_number")
    assert (one.name, one.number_ceiling, one.lease_epoch, one.lease_last) == ("one", 50, 3, 50)
    assert (two.name, two.number_ceiling, two.lease_epoch, two.lease_at) == ("two", 0, None, None)
    assert (two.messages_count, two.version, two.count_state) == (0, 1, 0)


def test_a_thousand_long_rows_are_stored() -> None:
    rows = [message(number, "é" * 4000) for number in range(1, 1001)]

    store_rows(rows)

    assert stored_numbers() == list(range(1, 1001))
    assert set(Message.objects.values_list("body", flat=True)) == {"é" * 4000}


def test_a_bad_row_is_set_aside_and_the_others_are_stored() -> None:
    bad = refused()
    rows = [*messages(120), bad, *[message(number) for number in range(121, 200)]]

    store_rows(rows)

    assert stored_numbers() == list(range(1, 200))
    letter = DeadLetter.objects.get()
    assert letter.acceptance.hex == bad.acceptance
    assert (letter.kind, letter.key) == ("messages", list(bad.key))
    assert letter.payload[2] == [bad.values[0]]
    assert "DataError" in letter.reason
    assert "DataError" in letter.traceback


def test_a_bad_row_costs_few_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[int] = []

    def insert(rows: Sequence[NumberedRow]) -> None:
        attempts.append(len(rows))
        bulk_insert.bulk_insert(rows)

    monkeypatch.setattr("ingest.idempotent_insert.bulk_insert", insert)

    store_rows([*messages(999), refused()])

    assert len(stored_numbers()) == 999
    assert len(attempts) <= 2 * 10 + 1


def test_many_bad_rows_are_all_set_aside() -> None:
    rows = [row for number in range(1, 21) for row in (message(number), refused())]
    rows = [replace(row, key=(*row.parent, row.number + place)) for place, row in enumerate(rows)]

    store_rows(rows)

    assert (len(stored_numbers()), DeadLetter.objects.count()) == (20, 20)


def test_redelivered_rows_are_dropped() -> None:
    rows = messages(50)
    store_rows(rows[10:30])

    store_rows(rows)
    store_rows(rows)

    assert stored_numbers() == list(range(1, 51))
    assert not DeadLetter.objects.exists()


def test_a_row_that_comes_twice_in_one_batch_is_stored_once() -> None:
    rows = messages(3)

    store_rows([*rows, *rows])

    assert stored_numbers() == [1, 2, 3]
    assert not DeadLetter.objects.exists()


def test_a_redelivered_bad_row_is_set_aside_once() -> None:
    bad = refused()

    store_rows([bad])
    store_rows([bad])

    assert DeadLetter.objects.count() == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_stranger_never_takes_a_number(together: bool) -> None:
    mine, stranger, other = message(1, "mine"), message(1, "stranger"), message(2)

    if together:
        store_rows([mine, stranger, other])
    else:
        store_rows([mine])
        store_rows([stranger, other])

    assert Message.objects.get(message_number=1).body == "mine"
    assert stored_numbers() == [1, 2]
    letter = DeadLetter.objects.get()
    assert letter.acceptance.hex == stranger.acceptance
    assert letter.reason == "the number is taken by another row"


def test_kinds_may_be_mixed_and_children_may_come_before_their_parents() -> None:
    store_rows([message(1, chat=2)])
    store_rows([message(2, chat=2), new_chat(TOKEN, "late").numbered(2), message(1, chat=1)])

    assert Chat.objects.get().name == "late"
    assert Message.objects.count() == 3


OUTAGES = (
    OperationalError(1021, "Disk full"),
    OperationalError(1290, "The server is running with the --read-only option"),
    OperationalError(1054, "Unknown column 'author' in 'field list'"),
    ProgrammingError(1146, "Table 'messages' doesn't exist"),
    IntegrityError(1364, "Field 'author' doesn't have a default value"),
    InternalError(999, "an error that no list has"),
)


@pytest.mark.parametrize("error", OUTAGES, ids=str)
def test_a_failure_of_the_database_blames_no_row_and_is_waited_out(
    error: DatabaseError, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [error, error]

    def insert(rows: Sequence[NumberedRow]) -> None:
        if failures:
            raise failures.pop()
        bulk_insert.bulk_insert(rows)

    monkeypatch.setattr("ingest.idempotent_insert.bulk_insert", insert)

    retry_while_database_is_down(lambda: store_rows(messages(3)), meanwhile=lambda: None)

    assert stored_numbers() == [1, 2, 3]
    assert not DeadLetter.objects.exists()


def test_a_row_that_the_server_calls_its_own_error_takes_no_other_request_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = create_application(name="x").token

    def insert(rows: Sequence[NumberedRow]) -> None:
        if any("bad" in row.values for row in rows):
            raise OperationalError(1366, "Incorrect string value")
        bulk_insert.bulk_insert(rows)

    monkeypatch.setattr("ingest.database_numbers.bulk_insert", insert)

    outcomes = number_and_store(
        [Submission([new_chat(token, name)]) for name in ("one", "bad", "two")]
    )

    assert isinstance(outcomes[1], OperationalError)
    assert list(Chat.objects.order_by("pk").values_list("name", flat=True)) == ["one", "two"]


def test_each_row_is_stored_alone_and_leaves_no_mark(redis_server: RedisServer) -> None:
    rows = [*messages(3), refused()]

    store_one_by_one(rows)

    assert stored_numbers() == [1, 2, 3]
    assert DeadLetter.objects.get().acceptance.hex == rows[-1].acceptance
    assert redis_server.client().keys("attempt:*") == []


def test_a_row_that_killed_its_worker_is_set_aside_untried(redis_server: RedisServer) -> None:
    rows = messages(3)
    server_of(ONLY).client.set(attempt(ONLY, rows[1].acceptance), 1)

    store_one_by_one(rows)

    assert stored_numbers() == [1, 3]
    assert "killed" in DeadLetter.objects.get().reason


def test_a_row_that_was_stored_before_its_worker_was_killed_is_well(
    redis_server: RedisServer,
) -> None:
    rows = messages(3)
    store_rows(rows)
    server_of(ONLY).client.set(attempt(ONLY, rows[1].acceptance), 1)

    store_one_by_one(rows)

    assert not DeadLetter.objects.exists()


def test_rows_are_stored_one_by_one_while_redis_is_away(redis_server: RedisServer) -> None:
    redis_server.kill()

    store_one_by_one(messages(3))

    assert stored_numbers() == [1, 2, 3]
