"""When the input breaks off, the lines before it are kept, and a repaired input resumes."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from conversations.models import RejectedLine
from messages_app.models import Message
from tests.conversations.runs import everything, imported, run_import, standard_input
from tests.conversations.texts import as_lines, by_application, conversations

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_batches")]

SAID = conversations(250, chats=2)
WHOLE = gzip.compress(as_lines(SAID))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the input is."""
    return tmp_path / "input.jsonl.gz"


@pytest.mark.parametrize("cut", [30, len(WHOLE) // 3, len(WHOLE) - 5])
def test_a_truncated_gzip_is_kept_as_far_as_it_goes_and_continued_when_mended(
    cut: int, file: Path
) -> None:
    file.write_bytes(WHOLE[:cut])
    run = run_import(file)
    kept = Message.objects.count()
    assert run.result["messages"] == kept
    assert f"{file}:{kept + 1}: the gzip is truncated" in str(run.error)
    assert run_import(file).result["messages"] == 0
    file.write_bytes(WHOLE)
    assert imported(file)["messages"] == 250 - kept
    assert everything() == by_application(SAID)


def test_most_of_a_truncated_gzip_is_kept(file: Path) -> None:
    file.write_bytes(WHOLE[: len(WHOLE) * 2 // 3])
    run_import(file)
    assert Message.objects.count() > 150


def damaged(content: bytes) -> bytes:
    """With one byte in the middle changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x55]) + content[middle + 1 :]


def test_of_a_damaged_gzip_only_what_its_checksums_vouch_for_is_imported(file: Path) -> None:
    first, second = as_lines(SAID[:120]), as_lines(SAID[120:])
    file.write_bytes(gzip.compress(first) + damaged(gzip.compress(second)))
    run = run_import(file)
    assert f"{file}:121: the gzip is damaged" in str(run.error)
    assert everything() == by_application(SAID[:120])
    file.write_bytes(gzip.compress(first) + gzip.compress(second))
    assert imported(file)["messages"] == 130
    assert everything() == by_application(SAID)


def test_a_wrong_checksum_is_damage_too(file: Path) -> None:
    file.write_bytes(WHOLE[:-8] + bytes(8))
    run = run_import(file)
    assert f"{file}:1: the gzip is damaged" in str(run.error)
    assert Message.objects.count() == 0


def test_what_follows_a_whole_gzip_and_is_none_is_refused_behind_it(file: Path) -> None:
    file.write_bytes(WHOLE + b"something else")
    run = run_import(file)
    assert f"{file}:251: the gzip is damaged" in str(run.error)
    assert everything() == by_application(SAID)


def test_damage_on_standard_input_ends_the_import_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    standard_input(monkeypatch, damaged(WHOLE))
    run = run_import("-")
    assert "the gzip is damaged" in str(run.error)
    assert run.result["lines"] % 100 == 0


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_another_encoding_is_one_sentence_and_no_line_is_set_aside(
    encoding: str, compress: Callable[[bytes], bytes], file: Path
) -> None:
    file.write_bytes(compress(("\ufeff" + as_lines(SAID).decode()).encode(encoding)))

    run = run_import(file)

    assert str(run.error).startswith(f"{file} begins with the byte order mark of UTF-16 or UTF-32")
    assert run.complaints == ""
    assert not RejectedLine.objects.exists()
    assert not Message.objects.exists()


def test_a_file_that_is_not_there_is_one_sentence(file: Path) -> None:
    assert str(run_import(file).error) == f"{file} cannot be opened: No such file or directory"


def test_a_folder_is_one_sentence(tmp_path: Path) -> None:
    assert "Is a directory" in str(run_import(tmp_path).error)
