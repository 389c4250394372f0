"""The audit finds and names each violation planted in the tables, and reports nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from applications.models import Application
from chats.models import Chat
from ingest.dead_letters.replay import discard
from ingest.dead_letters.set_aside import set_aside
from ingest.idempotent_insert import store_rows
from ingest.models import CountState, DeadLetter, IdempotencyKey
from ingest.numbering.leases import record_skip
from messages_app.models import Message
from tests.api.client import Api
from tests.audit.results import Place, audit, found_nothing
from tests.rows import new_message

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]

ERROR, INFO = "error", "info"


def lose_a_message(used: Place) -> None:
    used.message(3).delete()


def lose_the_last_message(used: Place) -> None:
    used.message(5).delete()


def lose_the_first_messages(used: Place) -> None:
    used.messages.filter(message_number__lt=3).delete()


def lose_a_chat(used: Place) -> None:
    used.chat.delete()


def skip_numbers(used: Place) -> None:
    used.message(5).update(message_number=9)
    used.chat.update(number_ceiling=9)
    IdempotencyKey.objects.filter(first_number=5).delete()
    record_skip((used.token, used.number), 9, "a test")


def skip_numbers_unrecorded(used: Place) -> None:
    skip_numbers(used)
    used.chat.update(number_ceiling=10)
    used.message(9).update(message_number=10)


def lower_the_ceiling(used: Place) -> None:
    used.chat.update(number_ceiling=4)


def lend_above_the_ceiling(used: Place) -> None:
    used.chat.update(lease_first=6, lease_last=133)


def count_wrongly(used: Place) -> None:
    used.chat.update(messages_count=6)


def count_chats_wrongly(used: Place) -> None:
    Application.objects.update(chats_count=1)


def count_wrongly_and_flag(used: Place) -> None:
    used.chat.update(messages_count=6, count_state=CountState.CHANGED)


def store_without_a_chat(used: Place) -> None:
    store_rows([new_message(used.token, 77, "x").numbered(1)])


def store_without_an_application(used: Place) -> None:
    now = timezone.now()
    Chat.objects.create(
        application_token="f" * 24, chat_number=1, name="x", created_at=now, updated_at=now
    )


def accept_as_one(used: Place) -> None:
    used.message(4).update(acceptance=used.message(2).get().acceptance)


def put_number_aside(used: Place) -> None:
    used.chat.update(number_ceiling=6)
    set_aside(new_message(used.token, used.number, "x").numbered(6), "too long")


def put_stored_row_aside(used: Place) -> None:
    row = new_message(used.token, used.number, "x", acceptance=used.message(5).get().acceptance.hex)
    set_aside(row.numbered(5), "killed its worker")


def discard_a_letter(used: Place) -> None:
    put_number_aside(used)
    discard(DeadLetter.objects.get())


def remember_a_lost_row(used: Place) -> None:
    IdempotencyKey.objects.filter(first_number=5).update(first_number=99)


def remember_a_row_of_another_time(used: Place) -> None:
    keys = IdempotencyKey.objects.filter(first_number=5)
    keys.update(accepted_at=timezone.now() - timedelta(hours=1))


def remember_a_lost_application(used: Place) -> None:
    IdempotencyKey.objects.create(
        name=uuid4(), fingerprint=uuid4(), token="e" * 24, accepted_at=timezone.now()
    )


def erase_a_message(used: Place) -> None:
    Api().delete(f"{used.path}/messages/3")
    assert used.message(3).get().erased_at


def erase_in_part(used: Place) -> None:
    erase_a_message(used)
    used.message(3).update(sender="somebody")


def empty_a_body(used: Place) -> None:
    used.message(3).update(body="")


def set_aside_under_an_erased_number(used: Place) -> None:
    erase_a_message(used)
    set_aside(new_message(used.token, used.number, "x").numbered(3), "the number is taken")


Plant = Callable[[Place], None]

GAP = {("gaps", ERROR), ("counts", ERROR)}
VIOLATIONS: list[tuple[Plant, set[tuple[str, str]], str]] = [
    (lose_a_message, {*GAP, ("idempotency_keys", ERROR)}, "messages 3 missing"),
    (lose_the_last_message, {*GAP, ("idempotency_keys", ERROR)}, "messages 5 missing"),
    (lose_the_first_messages, {*GAP, ("idempotency_keys", ERROR)}, "messages 1 to 2 missing"),
    (
        lose_a_chat,
        {*GAP, ("orphans", ERROR), ("idempotency_keys", ERROR)},
        "chats 2 missing",
    ),
    (skip_numbers, {("gaps", INFO)}, "messages 5 to 8 never given: a test"),
    (skip_numbers_unrecorded, {("gaps", INFO), ("gaps", ERROR)}, "messages 9 missing"),
    (lower_the_ceiling, {("ceilings", ERROR)}, "messages 5 is stored, above the ceiling 4"),
    (lend_above_the_ceiling, {("ceilings", ERROR)}, "up to 133 are lent, above the ceiling 5"),
    (count_wrongly, {("counts", ERROR)}, "messages_count is 6, but there are 5 rows"),
    (count_chats_wrongly, {("counts", ERROR)}, "chats_count is 1, but there are 2 rows"),
    (count_wrongly_and_flag, {("counts", INFO)}, "the next count job corrects it"),
    (store_without_a_chat, {("orphans", ERROR)}, "messages are stored, but their parent"),
    (store_without_an_application, {("orphans", ERROR)}, "chats are stored, but their parent"),
    (accept_as_one, {("duplicates", ERROR)}, "messages 2, 4 are one accepted row"),
    (put_number_aside, {("dead_letters", ERROR)}, "messages 6: too long"),
    (put_stored_row_aside, {("dead_letters", INFO)}, "stored by now, a replay removes it"),
    (discard_a_letter, {("gaps", INFO)}, "messages 6 never given: discarded: too long"),
    (remember_a_lost_row, {("idempotency_keys", ERROR)}, "number 99"),
    (
        remember_a_row_of_another_time,
        {("idempotency_keys", ERROR)},
        "number 5, but no row",
    ),
    (erase_a_message, set(), ""),
    (erase_in_part, {("tombstones", ERROR)}, "messages 3 has a value left"),
    (empty_a_body, {("tombstones", ERROR)}, "messages 3 has a value left, or none"),
    (
        set_aside_under_an_erased_number,
        {("dead_letters", ERROR), ("tombstones", ERROR)},
        "messages 3 is erased, and a dead letter",
    ),
    (remember_a_lost_application, {("idempotency_keys", ERROR)}, "an application that does not"),
]


@pytest.mark.parametrize(
    ("plant", "sorts", "detail"), VIOLATIONS, ids=[plant.__name__ for plant, *_ in VIOLATIONS]
)
def test_what_is_planted_is_found_and_nothing_else(
    used: Place, plant: Plant, sorts: set[tuple[str, str]], detail: str
) -> None:
    assert found_nothing(audit())
    plant(used)

    result = audit()

    assert result.sorts == sorts
    assert result.ok == (ERROR not in {severity for _, severity in sorts})
    assert result.status == (0 if result.ok else 1)
    assert detail in "\n".join(one["detail"] for one in result.findings)
    assert {one["application_token"] for one in result.findings} <= {
        used.token, "e" * 24, "f" * 24
    }  # fmt: skip


def test_a_finding_says_where(used: Place) -> None:
    lose_a_message(used)

    [gap] = [one for one in audit().findings if one["check"] == "gaps"]

    assert gap == {
        "check": "gaps",
        "severity": "error",
        "application_token": used.token,
        "chat_number": used.number,
        "detail": gap["detail"],
    }


@contextmanager
def without_unique_key() -> Iterator[None]:
    """Messages may be there twice in the block, which has to clear away after itself."""
    constraints = Message._meta.constraints
    Message._meta.constraints = []  # by which SQLite makes the table anew
    with connection.schema_editor() as editor:
        editor.remove_constraint(Message, constraints[0])
    try:
        yield
    finally:
        Message._meta.constraints = constraints
        with connection.schema_editor() as editor:
            editor.add_constraint(Message, constraints[0])


def test_a_key_that_may_be_there_twice_is_found_and_so_are_the_rows(used: Place) -> None:
    with without_unique_key():
        copy = used.message(2).get()
        copy.pk, copy.acceptance = None, uuid4()
        copy.save(force_insert=True)
        result = audit()
        copy.delete()

    assert result.sorts == {("duplicates", ERROR), ("counts", ERROR)}
    assert "messages 2 is stored 2 times" in result.details("duplicates")
    assert "messages has no unique index of its key" in result.details("duplicates")
    assert found_nothing(audit())


def test_the_rest_of_many_findings_is_counted(
    used: Place, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.audit.checks.MAX_KEPT", 2)
    api.say(used.path, *"abcdefgh")
    used.messages.filter(message_number__in=(2, 4, 6, 8, 10)).delete()

    gaps = [one["detail"] for one in audit().findings if one["check"] == "gaps"]

    assert len(gaps) == 3
    assert gaps[-1] == "3 more, 5 in all"


def test_an_empty_installation_is_well(db: None) -> None:
    assert found_nothing(audit())
