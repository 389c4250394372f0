"""A dead letter has the token of its application, and statements about it name that token."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingest.dead_letters.replay import StillSetAside, discard, replay
from ingest.dead_letters.set_aside import set_aside
from ingest.erasure import erase
from ingest.idempotent_insert import store_rows
from ingest.message_format import Undecodable, write_message
from ingest.models import DeadLetter
from ingest.records import NumberedRow
from ingest.sweeper import set_unreadable_aside
from messages_app.models import Message
from messages_app.records import MESSAGES
from search.index import bulk_writing
from search.index.bulk_writing import Change, Rejected, write_changes
from tests.dead_letters.test_replaying import TOKEN, letter_of, message, message_letter
from tests.rows import new_chat, new_message

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]


def tokens() -> list[str]:
    return list(DeadLetter.objects.order_by("pk").values_list("application_token", flat=True))


def conditions(work: Callable[[], object]) -> list[str]:
    """The conditions of the statements about dead letters that this work sends."""
    with CaptureQueriesContext(connection) as captured:
        work()
    statements = [one["sql"] for one in captured.captured_queries]
    table = connection.ops.quote_name(DeadLetter._meta.db_table)
    return [sql.partition(" WHERE ")[2] for sql in statements if table in sql and " WHERE " in sql]


@pytest.mark.parametrize("row", [message(7), message(2**70), new_chat(TOKEN, "x").numbered(3)])
def test_the_letter_of_a_row_has_the_token_of_its_application(row: NumberedRow) -> None:
    assert letter_of(row).application_token == TOKEN


def test_a_letter_without_an_application_has_no_token() -> None:
    letter_of(new_message(TOKEN + " and longer", 1, "x").numbered(1))
    message_letter(b"\xff nonsense")
    message_letter(write_message([message(1)])[1])

    assert tokens() == ["", "", ""]


def test_the_letter_of_an_unreadable_pending_row_has_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.sweeper.remove_member", lambda *_: None)

    set_unreadable_aside(f"{TOKEN}/1", b"8 1 {", Undecodable("a test"))

    assert tokens() == [TOKEN]


def test_the_letter_of_a_rejected_document_has_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    change = Change((TOKEN, 1, 7), None)
    monkeypatch.setattr(bulk_writing, "write", lambda *_: [Rejected(change, "a test")])

    write_changes([change], [])

    assert tokens() == [TOKEN]


def as_of_the_release_before() -> None:
    """Take the tokens away, as far as the database lets a row change its shard."""
    if connection.display_name == "Vitess":
        pytest.skip("a row never changes its shard")
    DeadLetter.objects.update(application_token="")


def test_a_letter_of_the_release_before_is_no_second_one() -> None:
    row = message(7)
    letter_of(row, "at first")
    as_of_the_release_before()

    set_aside(row, "later")

    assert [letter.reason for letter in DeadLetter.objects.all()] == ["later"]


@pytest.mark.parametrize("work", [replay, discard])
def test_a_letter_of_the_release_before_is_replayed_and_discarded(
    work: Callable[[DeadLetter], object],
) -> None:
    letter_of(message(7))
    as_of_the_release_before()

    work(DeadLetter.objects.get())

    assert not DeadLetter.objects.exists()


def test_a_letter_of_the_release_before_is_erased_with_its_row() -> None:
    letter_of(message(7))
    as_of_the_release_before()

    erase(MESSAGES, (TOKEN, 1, 7))

    assert not DeadLetter.objects.exists()
    assert Message.objects.get().erased_at is not None


@pytest.mark.parametrize(
    "work",
    [
        replay,
        discard,
        lambda _: set_aside(message(8), "a test"),
        lambda _: erase(MESSAGES, (TOKEN, 1, 7)),
    ],
)
def test_every_statement_about_a_letter_names_its_application(
    work: Callable[[DeadLetter], object],
) -> None:
    letter = letter_of(message(7))

    found = conditions(lambda: work(letter))

    assert found
    assert [one for one in found if TOKEN not in one] == []


def test_a_reason_that_changes_is_written_by_application() -> None:
    store_rows([message(7, "first")])
    letter = letter_of(message(7, "second"))

    def fail() -> None:
        with pytest.raises(StillSetAside):
            replay(letter)

    found = conditions(fail)

    assert found
    assert [one for one in found if TOKEN not in one] == []
