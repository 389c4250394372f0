"""Replay uses the ordinary insert; discard is final; both can be repeated."""

from base64 import b64encode
from uuid import uuid4

import pytest

from chats.models import Chat
from ingest.dead_letters.consumer import MESSAGE
from ingest.dead_letters.replay import StillSetAside, discard, replay
from ingest.dead_letters.set_aside import Letter, keep, set_aside
from ingest.idempotent_insert import store_rows
from ingest.message_format import write_message
from ingest.models import DeadLetter, NumberSkip
from ingest.records import NumberedRow
from messages_app.models import Message
from tests.rows import new_chat, new_message

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]

TOKEN = "a" * 24


def message(number: int, body: str = "שלום 🙂") -> NumberedRow:
    return new_message(TOKEN, 1, body).numbered(number)


def letter_of(row: NumberedRow, reason: str = "a test") -> DeadLetter:
    set_aside(row, reason)
    return DeadLetter.objects.get(acceptance=row.acceptance)


def message_letter(body: bytes) -> DeadLetter:
    payload = {"headers": {}, "body": b64encode(body).decode()}
    acceptance = uuid4()
    keep(acceptance, Letter(kind=MESSAGE, queue="messages", key=(), payload=payload), "a test")
    return DeadLetter.objects.get(acceptance=acceptance)


def skips() -> list[tuple[int | None, int | None, int]]:
    fields = ("chat_number", "skipped_from", "resumed_at")
    return list(NumberSkip.objects.order_by("pk").values_list(*fields))


def test_a_replayed_row_is_what_was_accepted() -> None:
    row = message(7)
    letter = letter_of(row)

    replay(letter)

    stored, accepted = Message.objects.get(), row.instance()
    for field in Message._meta.concrete_fields:
        if field.name != "id":
            assert getattr(stored, field.name) == getattr(accepted, field.name), field.name
    assert not DeadLetter.objects.exists()


def test_replayed_twice_it_is_stored_once() -> None:
    letter = letter_of(message(7))

    replay(letter)
    replay(letter)

    assert Message.objects.count() == 1
    assert not DeadLetter.objects.exists()


def test_a_row_that_was_stored_meanwhile_stays_as_it_is() -> None:
    row = message(7)
    letter = letter_of(row)
    store_rows([row])
    Message.objects.update(body="edited", version=2)

    replay(letter)

    assert Message.objects.get().body == "edited"
    assert not DeadLetter.objects.exists()


def test_a_chat_is_replayed_and_counted_anew() -> None:
    store_rows([message(1)])
    letter = letter_of(new_chat(TOKEN, "late").numbered(1))

    replay(letter)

    assert Chat.objects.get().count_state > 0


def test_what_fails_again_stays_with_its_new_reason() -> None:
    store_rows([message(7, "first")])
    letter = letter_of(message(7, "second"))

    with pytest.raises(StillSetAside, match="taken by another row"):
        replay(letter)

    assert DeadLetter.objects.get(pk=letter.pk).reason == "the number is taken by another row"
    assert Message.objects.get().body == "first"


def test_what_no_table_can_hold_stays() -> None:
    letter = letter_of(message(2**70))
    assert letter.number is None

    with pytest.raises(StillSetAside, match="DataError"):
        replay(letter)

    assert DeadLetter.objects.get().pk == letter.pk


def task_with(place: str) -> bytes:
    """A task message with something deep in the place of what it says."""
    _, body = write_message([message(1, "$body")])
    return body.replace(place.encode(), b"[" * 900 + b"]" * 900)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\x00 nonsense",
        b'[[{"format": 99}], {}, {}]',
        task_with('"$body"'),
        task_with(f'"{TOKEN}"'),
    ],
)
def test_a_message_that_cannot_be_read_stays_as_it_is(body: bytes) -> None:
    letter = message_letter(body)

    with pytest.raises(StillSetAside, match="cannot be read"):
        replay(letter)

    assert DeadLetter.objects.get().payload == letter.payload
    discard(letter)
    assert not DeadLetter.objects.exists()
    assert skips() == []


@pytest.mark.parametrize("payload", [[], {}, [1, "x", ["x"], None], ["x", "y", ["z"], None]])
def test_a_row_that_cannot_be_read_stays_as_it_is(payload: object) -> None:
    letter = letter_of(message(7))
    letter.payload = payload
    letter.save(update_fields=["payload"])

    with pytest.raises(StillSetAside, match="cannot be read"):
        replay(letter)

    assert DeadLetter.objects.get().payload == payload


def test_a_message_that_can_be_read_by_now_is_stored_whole() -> None:
    rows = [message(1), message(2), message(3)]
    letter = message_letter(write_message(rows)[1])
    store_rows([rows[1]])

    replay(letter)

    accepted = {row.number: row.acceptance for row in rows}
    stored = Message.objects.values_list("message_number", "acceptance")
    assert {number: acceptance.hex for number, acceptance in stored} == accepted
    assert not DeadLetter.objects.exists()


def test_of_a_message_that_is_replayed_only_what_fails_again_is_left() -> None:
    rows = [message(1), message(2), message(3)]
    store_rows([message(2, "a stranger")])
    letter = message_letter(write_message(rows)[1])

    with pytest.raises(StillSetAside, match="taken by another row"):
        replay(letter)

    assert set(Message.objects.values_list("message_number", flat=True)) == {1, 2, 3}
    left = DeadLetter.objects.get()
    assert (left.kind, left.acceptance.hex) == ("messages", rows[1].acceptance)


def test_a_discarded_number_is_recorded_exactly() -> None:
    discard(letter_of(message(7), "too long"))
    discard(letter_of(new_chat(TOKEN, "x").numbered(3)))

    assert skips() == [(1, 7, 8), (None, 3, 4)]
    assert NumberSkip.objects.order_by("pk")[0].reason == "discarded: too long"
    assert not DeadLetter.objects.exists()


def test_discarded_twice_it_is_recorded_once() -> None:
    letter = letter_of(message(7))

    discard(letter)
    discard(letter)

    assert skips() == [(1, 7, 8)]


def test_a_number_that_has_a_row_is_not_skipped() -> None:
    store_rows([message(7, "first")])

    discard(letter_of(message(7, "second")))

    assert skips() == []


def test_numbers_of_a_discarded_message_are_recorded() -> None:
    store_rows([message(2)])

    discard(message_letter(write_message([message(1), message(2), message(3)])[1]))

    assert skips() == [(1, 1, 2), (1, 3, 4)]


def test_what_no_number_can_be_of_is_discarded_all_the_same() -> None:
    discard(letter_of(message(2**70)))
    discard(letter_of(new_message(TOKEN + " and longer", 1, "x").numbered(1)))

    assert (skips(), DeadLetter.objects.count()) == ([], 0)
