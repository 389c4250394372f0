"""`manage.py dead_letters`."""

import json
import os
import signal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from ingest.idempotent_insert import store_rows
from ingest.models import DeadLetter
from messages_app.models import Message
from tests.commands import run_as_manage_py
from tests.dead_letters.test_replaying import letter_of, message, message_letter, skips

pytestmark = pytest.mark.django_db(transaction=True)


def command(*arguments: str) -> tuple[int, Any]:
    """Exit status and result of a subcommand."""
    output, status = StringIO(), 0
    try:
        call_command("dead_letters", *arguments, "--json", stdout=output)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, json.loads(output.getvalue())


def test_letters_are_listed_page_by_page() -> None:
    letters = [letter_of(message(number)) for number in range(1, 6)]

    _, first = command("list", "--limit", "2")
    _, rest = command("list", "--after", str(first["letters"][-1]["id"]))

    assert first["count"] == rest["count"] == 5
    assert [one["id"] for one in first["letters"] + rest["letters"]] == [
        letter.pk for letter in letters
    ]
    assert first["letters"][0] == {
        "id": letters[0].pk,
        "kind": "messages",
        "queue": "messages",
        "key": letters[0].key,
        "acceptance": str(letters[0].acceptance),
        "reason": "a test",
        "set_aside_at": letters[0].set_aside_at.isoformat(),
    }


def test_a_letter_is_shown_with_all_that_it_holds() -> None:
    _, row = command("show", str(letter_of(message(1, "hello")).pk))
    _, bytes_ = command("show", str(message_letter(b"no \xff text").pk))

    assert row["payload"][2] == ["hello"]
    assert bytes_["text"] == r"no \xff text"
    with pytest.raises(CommandError, match="no dead letter 0"):
        call_command("dead_letters", "show", "0")


def test_chosen_letters_are_replayed() -> None:
    letters = [letter_of(message(number)) for number in range(1, 4)]

    status, result = command("replay", *(str(letter.pk) for letter in letters[:2]))

    assert (status, result["ok"], result["replayed"]) == (0, True, 2)
    assert DeadLetter.objects.get() == letters[2]
    assert command("replay", str(letters[0].pk))[1]["missing"] == [letters[0].pk]


def test_what_fails_again_is_told_and_holds_up_no_other() -> None:
    store_rows([message(2, "first")])
    for number in (1, 2, 3):
        letter_of(message(number))

    status, result = command("replay", "--all")

    assert (status, result["ok"], result["replayed"], result["set_aside_again"]) == (1, False, 2, 1)
    [failed] = result["failed"]
    assert failed == {
        "id": DeadLetter.objects.get().pk,
        "reason": "the number is taken by another row",
    }


def test_all_letters_are_discarded() -> None:
    for number in (1, 2, 3):
        letter_of(message(number))

    assert command("discard", "--all") == (
        0, {"ok": True, "discarded": 3, "set_aside_again": 0, "failed": [], "missing": []},
    )  # fmt: skip
    assert len(skips()) == 3


def test_interrupted_it_finishes_the_letter_and_goes_on_the_next_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2, 3):
        letter_of(message(number))
    with monkeypatch.context() as once:

        def store(rows: Any) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            store_rows(rows)

        once.setattr("ingest.dead_letters.replay.store_rows", store)
        with pytest.raises(CommandError, match="same command again") as ended:
            call_command("dead_letters", "replay", "--all")

    assert ended.value.returncode == 128 + signal.SIGTERM
    assert "1 replayed" in capsys.readouterr().out
    assert (Message.objects.count(), DeadLetter.objects.count()) == (1, 2)
    assert command("replay", "--all")[1]["replayed"] == 2


def test_a_database_that_fails_leaves_the_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    letter_of(message(1))

    def fail(_: object) -> None:
        raise OperationalError(1021, "Disk full")

    monkeypatch.setattr("ingest.dead_letters.replay.store_rows", fail)
    with pytest.raises(CommandError, match="Disk full"):
        call_command("dead_letters", "replay", "--all")

    assert DeadLetter.objects.count() == 1


@pytest.mark.parametrize(
    "arguments", [["replay"], ["discard", "1", "--all"], ["replay", "one"], ["bury", "1"], []]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    status, _, _ = run_as_manage_py("dead_letters", *arguments)

    assert status == 2


def test_a_terminal_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    letter = letter_of(message(1))

    call_command("dead_letters", "list")
    call_command("dead_letters", "show", str(letter.pk))
    call_command("dead_letters", "replay", str(letter.pk))

    out = capsys.readouterr().out
    assert f"{letter.pk}  " in out
    assert "1 dead letters" in out
    assert "traceback:" in out
    assert "1 replayed, 0 set aside again" in out
