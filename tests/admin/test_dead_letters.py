"""Dead letters in the admin are searched, shown, replayed and discarded; each action is logged."""

import html
from base64 import b64encode
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from ingest.dead_letters.consumer import MESSAGE
from ingest.dead_letters.set_aside import Letter, keep, set_aside
from ingest.idempotent_insert import store_rows
from ingest.message_format import write_message
from ingest.models import DeadLetter, NumberSkip
from ingest.records import NumberedRow
from messages_app.models import Message
from operations.admin.lists import KeysetAdmin
from tests.admin.pages import act, address, confirm, listing, notices, rows, text
from tests.admin.test_paging import follow
from tests.admin.test_permissions import staff_client
from tests.rows import new_chat, new_message

TOKEN = "a" * 24
OTHER = "b" * 24


def message(number: int, body: str = "שלום 🙂", token: str = TOKEN, chat: int = 1) -> NumberedRow:
    return new_message(token, chat, body).numbered(number)


def letter_of(row: NumberedRow, reason: str = "too long") -> DeadLetter:
    try:
        int(reason)
    except ValueError as error:
        set_aside(row, reason, error)
    return DeadLetter.objects.get(acceptance=row.acceptance)


def message_letter(body: bytes) -> DeadLetter:
    acceptance = uuid4()
    payload = {"headers": {}, "body": b64encode(body).decode()}
    keep(acceptance, Letter(kind=MESSAGE, queue="messages", key=(), payload=payload), "unreadable")
    return DeadLetter.objects.get(acceptance=acceptance)


@pytest.fixture
def letter(db: None) -> DeadLetter:
    return letter_of(message(7))


def page_of(client: Client, letter: DeadLetter) -> str:
    return text(client.get(address(DeadLetter, "change", letter.pk)))


def outcome(client: Client, answer: object) -> list[str]:
    """What is said after an action."""
    return notices(client.get(answer["Location"]))  # type: ignore[index]


def log() -> list[tuple[str, str]]:
    entries = LogEntry.objects.order_by("pk")
    return [(entry.object_repr, entry.get_change_message()) for entry in entries]


def test_a_letter_is_shown_readable_and_escaped(admin_client: Client) -> None:
    letter = letter_of(message(7, "<b>שלום</b>"))

    answer = admin_client.get(address(DeadLetter, "change", letter.pk))

    for part in (f"messages {TOKEN}/1/7", "too long", "Traceback", "ValueError", "<b>שלום</b>"):
        assert part in text(answer)
    assert "<b>שלום" not in answer.content.decode()
    assert rows(listing(admin_client, DeadLetter)) == [letter]


def test_the_rows_of_a_message_of_a_queue_are_shown(admin_client: Client, db: None) -> None:
    letter = message_letter(write_message([message(1, "first"), message(2, "second")])[1])

    page = page_of(admin_client, letter)

    assert [part for part in ("first", "second", f"{TOKEN}/1/2") if part not in page] == []


@pytest.mark.parametrize("body", [b"\xff\x00 <i>nonsense", b'[[{"format": 99}], {}, {}]', b""])
def test_a_message_that_cannot_be_read_is_shown_as_it_is(
    admin_client: Client, db: None, body: bytes
) -> None:
    page = page_of(admin_client, message_letter(body))

    assert "This letter cannot be read" in page
    assert body.decode(errors="backslashreplace").replace("\0", "") in page.replace("\0", "")


@pytest.mark.parametrize("payload", [{}, [], [1, 2], {"body": "?"}, "x", 7])
@pytest.mark.parametrize("kind", ["messages", "chats", MESSAGE, "search", "unheard of"])
def test_whatever_it_holds_there_is_a_page(
    admin_client: Client, letter: DeadLetter, kind: str, payload: object
) -> None:
    DeadLetter.objects.update(kind=kind, payload=payload, key=["x"], number=None)

    assert "too long" in page_of(admin_client, letter)
    assert rows(listing(admin_client, DeadLetter)) == [letter]


def test_of_a_huge_letter_a_part_is_shown(admin_client: Client, db: None) -> None:
    letter = message_letter(b"z" * 1_000_000)

    page = page_of(admin_client, letter)

    assert len(page) < 300_000
    assert f"manage.py dead_letters show {letter.pk}" in page


def test_a_list_leaves_payloads_and_tracebacks_where_they_are(
    admin_client: Client, letter: DeadLetter
) -> None:
    [shown] = rows(listing(admin_client, DeadLetter))
    assert shown.get_deferred_fields() == {"payload", "traceback"}


def test_replayed_a_row_is_stored_and_the_letter_gone(
    admin_client: Client, letter: DeadLetter
) -> None:
    answer = act(admin_client, "replay", letter)

    assert Message.objects.get().message_number == 7
    assert not DeadLetter.objects.exists()
    assert outcome(admin_client, answer) == [f"Replayed: messages {TOKEN}/1/7"]
    assert log() == [(str(letter), "Replayed.")]


def test_of_many_letters_the_outcome_of_each_is_told(admin_client: Client, db: None) -> None:
    store_rows([message(2, "somebody else's")])
    letters = [letter_of(message(number)) for number in (1, 2, 3)]

    answer = act(admin_client, "replay", *letters)

    assert outcome(admin_client, answer) == [
        f"Replayed: messages {TOKEN}/1/1",
        f"messages {TOKEN}/1/2 stays set aside: the number is taken by another row",
        f"Replayed: messages {TOKEN}/1/3",
    ]
    assert DeadLetter.objects.get() == letters[1]
    assert [what for _, what in log()] == [
        "Replayed.",
        "Replayed without success: the number is taken by another row",
        "Replayed.",
    ]


def test_only_what_was_selected_is_replayed_even_if_all_is_asked_for(
    admin_client: Client, letter: DeadLetter
) -> None:
    other = letter_of(message(8))
    sent = {"action": "replay", "_selected_action": [other.pk, "x", "9" * 40], "select_across": "1"}

    admin_client.post(address(DeadLetter, "changelist"), sent)

    assert DeadLetter.objects.get() == letter


def test_more_than_a_page_is_refused_as_a_whole(admin_client: Client, letter: DeadLetter) -> None:
    sent = {"action": "replay", "_selected_action": [letter.pk, *range(1000, 1050)]}

    answer = admin_client.post(address(DeadLetter, "changelist"), sent)

    assert outcome(admin_client, answer) == ["Select at most 50 rows. Nothing was done."]
    assert DeadLetter.objects.exists()


def test_discarded_after_a_question_its_number_is_recorded_as_skipped(
    admin_client: Client, letter: DeadLetter
) -> None:
    question = act(admin_client, "discard", letter)
    assert DeadLetter.objects.exists()

    answer = confirm(admin_client, question)

    assert not DeadLetter.objects.exists()
    assert NumberSkip.objects.get().skipped_from == 7
    assert outcome(admin_client, answer) == [f"Discarded: messages {TOKEN}/1/7"]
    assert log() == [(str(letter), "Discarded.")]


def test_after_a_question_the_search_is_shown_again(
    admin_client: Client, letter: DeadLetter
) -> None:
    found = f"{address(DeadLetter, 'changelist')}?q={TOKEN}&p=after.9"
    selected = {"action": "discard", "_selected_action": [letter.pk]}
    question = admin_client.post(found, selected)

    answer = confirm(admin_client, question)
    again = confirm(admin_client, question)

    assert answer["Location"] == again["Location"] == found
    assert html.unescape(question.content.decode()).count(found) == 2


def test_a_letter_that_is_gone_meanwhile_is_told(admin_client: Client, letter: DeadLetter) -> None:
    DeadLetter.objects.all().delete()

    answer = act(admin_client, "replay", letter)

    assert outcome(admin_client, answer) == ["The selected letters no longer exist."]


def test_who_may_look_changes_nothing(letter: DeadLetter) -> None:
    client = staff_client("view_deadletter")

    assert "too long" in page_of(client, letter)
    assert 'value="replay"' not in page_of(client, letter) + text(listing(client, DeadLetter))
    for action in ("replay", "discard"):
        act(client, action, letter)
    assert DeadLetter.objects.exists()


def test_who_may_change_replays_and_does_not_discard(letter: DeadLetter) -> None:
    client = staff_client("view_deadletter", "change_deadletter")

    act(client, "discard", letter)
    assert DeadLetter.objects.exists()
    act(client, "replay", letter)
    assert not DeadLetter.objects.exists()


def test_nobody_edits_a_letter(admin_client: Client, letter: DeadLetter) -> None:
    change = address(DeadLetter, "change", letter.pk)
    assert admin_client.post(change, {"reason": "none"}).status_code == 403
    assert admin_client.post(address(DeadLetter, "delete", letter.pk)).status_code == 403
    assert admin_client.get(address(DeadLetter, "add")).status_code == 403


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (TOKEN, ["messages 3", "messages 2", "messages 1", "chats 9"]),
        (f"{TOKEN} 1", ["messages 2", "messages 1"]),
        (f"{TOKEN}/1/2", ["messages 2"]),
        (f"{TOKEN} 1 9", []),
        (OTHER, ["messages 1"]),
        ("c" * 24, []),
        ("nonsense", []),
    ],
)
def test_letters_are_found_by_token_and_numbers(
    admin_client: Client, db: None, search: str, found: list[str]
) -> None:
    for row in (
        message(1),
        message(2),
        message(3, chat=2),
        message(1, token=OTHER),
        new_chat(TOKEN, "x").numbered(9),
    ):
        letter_of(row)
    message_letter(b"x")

    shown = rows(listing(admin_client, DeadLetter, q=search))

    assert [f"{letter.kind} {letter.number}" for letter in shown] == found


def test_pages_of_a_search_hold_each_letter_once_though_some_have_no_number(
    admin_client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeysetAdmin, "list_per_page", 2)
    letters = [letter_of(message(number)) for number in (1, 2**63 - 1, 2**70, 2**70 + 1, 2**70 + 2)]
    letters += [letter_of(message(3, chat=2)), letter_of(message(2**70, chat=2))]

    first = listing(admin_client, DeadLetter, q=TOKEN)
    forth = [rows(first), *follow(admin_client, first, "next_link")]
    seen = [letter for page in forth for letter in page]
    assert len(seen) == len(letters)
    assert set(seen) == set(letters)

    last = listing(admin_client, DeadLetter, q=TOKEN, p=f"before.{seen[-1].pk}")
    back = [rows(last), *follow(admin_client, last, "previous_link")]
    assert {letter for page in back for letter in page} == set(seen[:-1])
    assert rows(last) == seen[-3:-1]
