"""Exports: selected by token or name, written completely or not at all, in bounded steps."""

import gzip
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from applications.services import create_application
from conversations import export_lines
from conversations.management.commands import export_conversations
from messages_app.models import Message
from tests.conversations.runs import exported, told
from tests.conversations.texts import as_lines
from tests.rows import create_chat, create_message

pytestmark = [pytest.mark.both, pytest.mark.django_db]

SAID = [("ein Name", chat, str(number)) for chat in ("c", "d", "e") for number in range(5)]


@pytest.fixture
def token() -> str:
    """An application with three chats of five messages, and an empty one."""
    token = create_application(name="ein Name").token
    for chat_number, chat in enumerate(("c", "d", "e", "empty"), start=1):
        create_chat(application_token=token, name=chat)
        for _, _, body in (one for one in SAID if one[1] == chat):
            create_message(application_token=token, chat_number=chat_number, body=body)
    return token


def export_to(path: Path, application: str) -> None:
    """Export into a file."""
    call_command("export_conversations", application, output=str(path))


def test_it_is_found_by_its_token_and_by_its_name(token: str) -> None:
    assert exported(token) == exported("ein Name")
    assert told(token) == as_lines(SAID)


def test_a_name_that_nobody_has_is_one_sentence() -> None:
    with pytest.raises(CommandError, match="No application has the token or name nobody"):
        exported("nobody")


def test_a_name_that_several_have_lists_their_tokens(token: str) -> None:
    other = create_application(name="ein Name").token
    with pytest.raises(CommandError, match=f"Use one of their tokens: {token}, {other}"):
        exported("ein Name")


@pytest.mark.parametrize("step", [1, 2, 4, 5, 6, 14, 15, 16])
def test_every_step_size_gives_the_same(
    step: int, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_lines, "STEP", step)
    assert told(token) == as_lines(SAID)


def test_it_is_read_in_bounded_steps_without_offset(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_lines, "STEP", 4)
    with CaptureQueriesContext(connection) as queries:
        steps = list(export_lines.steps_of(export_lines.find_application(token)))
    # Each message, and its chat's line where it is the first.
    assert max(len(lines) for lines in steps) <= 8
    assert not [query for query in queries if "OFFSET" in query["sql"]]


def test_small_chats_are_read_together() -> None:
    token = create_application(name="many").token
    for chat_number in range(1, 101):
        create_chat(application_token=token, name=str(chat_number))
        create_message(application_token=token, chat_number=chat_number, body="hello")
    with CaptureQueriesContext(connection) as queries:
        assert exported(token).count(b"\n") == 1 + 2 * 100
    assert len(queries) == 7


def test_a_message_whose_chat_is_not_there_yet_is_left_out(token: str) -> None:
    [first, *_] = Message.objects.order_by("pk")
    first.pk, first.chat_number = None, 77
    first.save()
    assert told(token) == as_lines(SAID)


def test_a_file_replaces_another_when_it_is_complete(token: str, tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text("old")
    export_to(file, token)
    assert file.read_bytes() == exported(token)
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_named_gz_is_gzip_and_always_the_same(token: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one.gz", tmp_path / "two.gz"
    export_to(one, token)
    export_to(two, token)
    assert gzip.decompress(one.read_bytes()) == exported(token)
    assert one.read_bytes() == two.read_bytes()


def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_conversations, "steps_of", fail)
    file = tmp_path / "export.jsonl"
    file.write_text("old")
    with pytest.raises(CommandError, match="No space left on device"):
        export_to(file, token)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_sigterm_leaves_the_old_file_and_nothing_else(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> Any:
        yield ["half"]
        os.kill(os.getpid(), signal.SIGTERM)
        yield ["the rest"]

    monkeypatch.setattr(export_conversations, "steps_of", interrupt)
    file = tmp_path / "export.jsonl"
    with pytest.raises(CommandError, match="interrupted by SIGTERM") as ended:
        export_to(file, token)
    assert ended.value.returncode == 143
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_sentence(token: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file or directory"):
        export_to(tmp_path / "none" / "export.jsonl", token)


def test_a_device_is_written_to_and_not_replaced(token: str) -> None:
    export_to(Path("/dev/null"), token)
    assert Path("/dev/null").is_char_device()


def test_an_application_without_chats_is_one_line() -> None:
    [line] = map(json.loads, exported(create_application(name="quiet").token).splitlines())
    assert (line["type"], line["name"], line["chats_count"]) == ("application", "quiet", 0)
