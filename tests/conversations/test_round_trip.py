"""An export equals its import: every script, every order, every kind of input."""

import gzip
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path

import pytest

from chats.models import Chat
from messages_app.models import Message
from tests.conversations.runs import everything, exported, imported, standard_input, told
from tests.conversations.texts import SCRIPTS, as_lines, by_application, conversations

pytestmark = [pytest.mark.both, pytest.mark.django_db, pytest.mark.usefixtures("small_batches")]

SAID = conversations(250, chats=2)
MORE = conversations(20, chats=2, seed=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A plain file of three batches, whose chats interleave."""
    path = tmp_path / "conversations.jsonl"
    path.write_bytes(as_lines(SAID))
    return path


def test_an_export_is_what_was_imported_chat_by_chat(file: Path) -> None:
    imported(file)
    assert everything() == by_application(SAID)


def test_the_result_counts_lines_messages_and_each_application(file: Path) -> None:
    result = imported(file)
    applications = result.pop("applications")
    assert result == {"lines": 250, "messages": 250, "rejected": 0, "empty": 0, "skipped": 0}
    assert {one["name"] for one in applications} == {f"in {script}" for script in SCRIPTS}
    assert sum(one["messages"] for one in applications) == 250
    assert sum(one["chats"] for one in applications) == len({said[:2] for said in SAID})


def test_messages_are_numbered_from_one_in_the_order_of_their_lines(file: Path) -> None:
    result = imported(file)
    token = result["applications"][0]["token"]
    numbers = Message.objects.filter(application_token=token, chat_number=1)
    count = numbers.count()
    assert list(numbers.order_by("pk").values_list("message_number", flat=True)) == list(
        range(1, count + 1)
    )


def test_what_was_imported_is_flagged_for_the_count_job(file: Path) -> None:
    imported(file)
    assert not Chat.objects.filter(count_state=0).exists()


def test_an_export_imported_beside_its_source_is_another_application(
    file: Path, tmp_path: Path
) -> None:
    imported(file)
    before = exported("in thai")
    copy = tmp_path / "thai.jsonl"
    copy.write_bytes(before)
    [application] = imported(copy)["applications"]
    assert exported(application["token"]) == before
    assert Chat.objects.filter(name__startswith=SCRIPTS["thai"][:3]).count() == 4


def test_gzip_is_told_by_its_content_whatever_the_name(tmp_path: Path) -> None:
    members = tmp_path / "plain.txt"
    content = as_lines(SAID)
    half = len(content) // 2
    members.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]) + b"\0" * 99)
    imported(members)
    assert everything() == by_application(SAID)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_standard_input_is_read_plain_or_gzip(
    compress: type[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    standard_input(monkeypatch, compress(as_lines(SAID)))
    imported("-")
    assert everything() == by_application(SAID)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_byte_order_mark_is_no_part_of_the_line(
    compress: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, joined = compress(BOM_UTF8 + as_lines(SAID)), compress(BOM_UTF8 + as_lines(MORE))
    file = tmp_path / "marked"
    file.write_bytes(plain + joined)

    assert imported(file)["messages"] == len(SAID + MORE)
    assert everything() == by_application(SAID + MORE)

    standard_input(monkeypatch, plain)
    assert imported("-", name="by standard input")["messages"] == len(SAID)


@pytest.mark.parametrize("content", [BOM_UTF8, BOM_UTF8 + b"\n", BOM_UTF8 + b" \r\n"])
def test_a_mark_alone_is_an_empty_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_bytes(content)
    assert imported(file)["messages"] == 0


def test_a_name_is_stored_without_the_space_around_it(tmp_path: Path) -> None:
    file = tmp_path / "spaced.jsonl"
    file.write_bytes(as_lines([("a", "c", "1"), (" a\t", "\u3000c ", " 2 ")]))
    imported(file)
    assert told("a") == as_lines([("a", "c", "1"), ("a", "c", " 2 ")])


def test_names_that_differ_in_case_or_accent_are_different_names(tmp_path: Path) -> None:
    said = [("Å", "e", "1"), ("å", "e", "2"), ("å", "é", "3"), ("å", "E", "4"), ("A", "e", "5")]
    file = tmp_path / "alike.jsonl"
    file.write_bytes(as_lines(said))
    imported(file)
    assert everything() == by_application(said)


def test_an_empty_input_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.touch()
    assert imported(file)["lines"] == 0
