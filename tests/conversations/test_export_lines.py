"""The lines of exports: resumed at any point, mixed formats, and lines that are refused."""

import gzip
import json
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from applications.models import Application
from chats.models import Chat
from conversations import import_lines
from messages_app.models import Message
from tests.conversations.runs import exported, imported, run_import
from tests.conversations.texts import as_line

pytestmark = pytest.mark.django_db

APPLICATION: dict[str, Any] = {"type": "application", "name": "a"}
CHAT: dict[str, Any] = {"type": "chat", "chat_number": 1, "name": "c"}
MESSAGE: dict[str, Any] = {"type": "message", "chat_number": 1, "message_number": 1, "body": "b"}


def as_bytes(*lines: dict[str, Any]) -> bytes:
    """These lines as a file."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def file_of(folder: Path, *lines: dict[str, Any]) -> Path:
    """A file of these lines."""
    file = folder / "export.jsonl"
    file.write_bytes(as_bytes(*lines))
    return file


def many_lines() -> list[dict[str, Any]]:
    """Two applications, their chats interleaved, with gaps in all numbers."""
    lines: list[dict[str, Any]] = []
    for name in ("one", "two"):
        lines.append({**APPLICATION, "name": name})
        for chat in range(2, 8, 2):
            lines.append({**CHAT, "chat_number": chat})
            lines += [
                {**MESSAGE, "chat_number": old, "message_number": 10 * chat + number, "body": "b"}
                for number in range(1, 6, 2)
                for old in range(2, chat + 1, 2)
            ]
    return lines


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_stopped_after_each_line_and_run_again_each_line_is_stored_once(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_lines, "MAX_LINES", size)
    lines = many_lines()
    for count in range(1, len(lines) + 1):
        imported(file_of(tmp_path, *lines[:count]))

    found = [
        [
            {name: line[name] for name in ("type", "name", "chat_number", "message_number", "body")
             if name in line}
            for line in map(json.loads, exported(application.token).splitlines())
        ]
        for application in Application.objects.order_by("pk")
    ]  # fmt: skip

    half = len(lines) // 2
    assert [sorted(one, key=str) for one in found] == [
        sorted(lines[:half], key=str),
        sorted(lines[half:], key=str),
    ]


def test_defaults_of_what_a_line_leaves_out(tmp_path: Path) -> None:
    imported(file_of(tmp_path, APPLICATION, CHAT, MESSAGE))

    message = Message.objects.get()
    assert (message.sender, message.metadata, message.version) == (None, None, 1)
    assert message.created_at == message.updated_at
    assert Chat.objects.get().number_ceiling == 1


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_byte_order_mark_does_not_hide_the_format(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = tmp_path / "marked"
    file.write_bytes(compress(BOM_UTF8 + as_bytes(APPLICATION, CHAT, MESSAGE)))

    assert imported(file)["messages"] == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({**MESSAGE, "type": "post"}, "type must be application, chat or message."),
        ({**MESSAGE, "chat_number": 9}, "comes before the line of chat 9"),
        ({**MESSAGE, "message_number": "1"}, "message_number must be an integer from 1 to"),
        ({**MESSAGE, "message_number": True}, "message_number must be an integer from 1 to"),
        ({**MESSAGE, "message_number": 2**53}, "message_number must be an integer from 1 to"),
        ({**MESSAGE, "body": None}, "body must be a string."),
        ({**MESSAGE, "sender": " "}, "sender may not be blank."),
        ({**MESSAGE, "metadata": [1]}, "metadata must be a JSON object."),
        ({**MESSAGE, "metadata": {"a": "x" * 4096}}, "metadata may have at most 4096 bytes"),
        ({**MESSAGE, "version": 0}, "version must be an integer from 1 to"),
        ({**MESSAGE, "created_at": "yesterday"}, "created_at must be a time"),
        ({**MESSAGE, "created_at": "2026-01-31T12:00:00"}, "created_at must be a time"),
        ({**MESSAGE, "created_at": "1969-12-31T23:59:59Z"}, "created_at must be a time"),
        ({**MESSAGE, "erased_at": "2026-01-31T12:00:00Z"}, "An erased message has no body"),
        ({"type": "chat", "chat_number": 2}, "name is required."),
        (CHAT, "chat 1: this number, or a higher one, is given already."),
        ({**CHAT, "chat_number": 2, "purged_through": -1}, "purged_through must be an integer"),
        ({"application": "a", "chat": "c", "body": "b"}, "has no type, but the first line"),
        ({}, "has no type, but the first line"),
    ],
)
def test_a_line_that_cannot_be_restored_is_rejected(
    bad: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    run = run_import(file_of(tmp_path, APPLICATION, CHAT, bad, MESSAGE))

    assert run.complaints.startswith(f"{tmp_path}/export.jsonl:3: {reason}")
    assert (run.result["messages"], run.result["rejected"]) == (1, 1)


def test_numbers_that_are_given_twice_or_fall_are_rejected(tmp_path: Path) -> None:
    lines = [{**MESSAGE, "message_number": number} for number in (3, 3, 2, 4)]

    run = run_import(file_of(tmp_path, APPLICATION, CHAT, *lines))

    assert run.result["rejected"] == 2
    numbers = Message.objects.values_list("message_number", flat=True)
    assert sorted(numbers) == [3, 4]


def test_without_the_line_of_the_application_nothing_is_stored(tmp_path: Path) -> None:
    run = run_import(file_of(tmp_path, CHAT, MESSAGE, {**APPLICATION, "name": ""}, MESSAGE))

    assert run.result["rejected"] == 4
    assert run.complaints.count("comes before the line of its application") == 3
    assert not Application.objects.exists()


def test_a_rejected_application_does_not_lend_its_lines_to_the_one_before(tmp_path: Path) -> None:
    nameless = {**APPLICATION, "name": ""}
    run = run_import(file_of(tmp_path, APPLICATION, CHAT, nameless, {**CHAT, "chat_number": 2}))

    assert run.result["rejected"] == 2
    assert Chat.objects.count() == 1


def test_lines_of_an_export_in_an_old_file_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(as_line(("a", "c", "b")).encode() + as_bytes(APPLICATION, CHAT))

    run = run_import(file)

    assert (run.result["messages"], run.result["rejected"]) == (1, 2)
    assert f"{file}:2: has a type, but the first line of this input has none" in run.complaints


def test_an_old_line_may_have_a_field_named_type(tmp_path: Path) -> None:
    file = tmp_path / "old.jsonl"
    old = json.loads(as_line(("a", "c", "b")))
    file.write_bytes(as_bytes({"type": "message", **old}))

    assert imported(file)["messages"] == 1


def test_no_message_goes_into_a_chat_of_a_client(tmp_path: Path) -> None:
    [share] = imported(file_of(tmp_path, APPLICATION))["applications"]
    Chat.objects.create(
        application_token=share["token"],
        chat_number=1,
        name="a client's",
        created_at=Application.objects.get().created_at,
        updated_at=Application.objects.get().created_at,
    )

    run = run_import(file_of(tmp_path, APPLICATION, MESSAGE))

    assert "comes before the line of chat 1" in run.complaints
    assert not Message.objects.exists()
