"""A repeated import resumes, is already done, or says why it can do neither."""

import gzip
from codecs import BOM_UTF8
from collections.abc import Callable
from hashlib import sha256
from io import RawIOBase
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import Import, digest_of
from messages_app.models import Message
from tests.conversations.runs import everything, imported, run_import, standard_input
from tests.conversations.texts import as_lines, by_application, conversations

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_batches")]

SAID = conversations(250, chats=2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is imported already."""
    path = tmp_path / "conversations.jsonl"
    path.write_bytes(as_lines(SAID))
    imported(path)
    return path


def test_a_file_imported_whole_is_left_alone(file: Path, capsys: Any) -> None:
    result = imported(file)
    assert (result["messages"], result["skipped"]) == (0, 250)
    assert len(result["applications"]) == 13
    assert everything() == by_application(SAID)


def test_a_file_that_has_grown_is_continued(file: Path) -> None:
    more = conversations(70, seed=1)
    with file.open("ab") as end:
        end.write(as_lines(more))
    result = imported(file)
    assert (result["messages"], result["skipped"]) == (70, 250)
    assert everything() == by_application(SAID + more)


def test_a_last_line_that_is_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    said = conversations(3)
    content = as_lines(said)
    file = tmp_path / "growing.jsonl"
    file.write_bytes(content[:-9])
    run = run_import(file)
    assert (run.result["messages"], run.result["rejected"]) == (2, 1)
    assert f"{file}:3: is n" in run.complaints
    file.write_bytes(content)
    result = imported(file)
    assert (result["messages"], result["rejected"], result["skipped"]) == (1, 0, 2)
    assert everything() == by_application(said)


def test_a_last_line_without_its_end_counts_once_and_may_get_its_end_later(tmp_path: Path) -> None:
    said = conversations(4)
    file = tmp_path / "growing.jsonl"
    file.write_bytes(as_lines(said[:2])[:-1])
    assert imported(file)["messages"] == 2
    file.write_bytes(as_lines(said))
    assert imported(file)["messages"] == 2
    assert everything() == by_application(said)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_file_with_a_byte_order_mark_is_continued(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = tmp_path / "marked"
    file.write_bytes(compress(BOM_UTF8 + as_lines(SAID[:150])))
    assert imported(file)["messages"] == 150

    file.write_bytes(compress(BOM_UTF8 + as_lines(SAID)))
    result = imported(file)

    assert (result["messages"], result["skipped"]) == (100, 150)
    assert everything() == by_application(SAID)


def test_a_progress_that_counted_the_mark_is_still_found(tmp_path: Path) -> None:
    """The digest is that of the bytes: an import that was begun by an older version goes on."""
    file = tmp_path / "marked"
    file.write_bytes(BOM_UTF8 + as_lines(SAID))
    first, *others = file.read_bytes().splitlines(keepends=True)
    lines = [sha256(line.rstrip(b"\n")).digest() for line in (first, others[0])]
    Import.objects.create(
        source=str(file),
        source_key=digest_of(str(file)),
        first_line=lines[0].hex(),
        lines_done=2,
        digest=sha256(b"".join(lines)).hexdigest(),
        created_at=timezone.now(),
        updated_at=timezone.now(),
    )

    result = imported(file)

    assert (result["messages"], result["skipped"]) == (248, 2)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(SAID[:1] + conversations(260, seed=2), id="another behind the same line"),
        pytest.param(SAID[:120], id="a shorter one"),
    ],
)
def test_a_file_that_has_changed_is_refused_with_what_to_do(file: Path, changed: list[Any]) -> None:
    file.write_bytes(as_lines(changed))
    run = run_import(file)
    assert f"{file} has changed: 250 lines were imported earlier" in str(run.error)
    assert "--restart" in str(run.error)
    assert Message.objects.count() == 250


def test_restart_imports_all_lines_as_new_ones_of_the_same_chats(file: Path) -> None:
    result = imported(file, restart=True)
    assert (result["messages"], result["skipped"]) == (250, 0)
    assert {one["chats"] for one in result["applications"]} == {0}
    assert everything() == by_application(SAID + SAID)


def test_another_first_line_makes_another_import(file: Path) -> None:
    others = conversations(10, seed=3)
    file.write_bytes(as_lines(others))
    assert imported(file)["messages"] == 10
    assert everything() == by_application(SAID + others)


def test_progress_is_kept_under_a_given_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = file.with_name("copy.jsonl")
    copy.write_bytes(as_lines(SAID[:150]))
    assert imported(copy, name="the same story")["messages"] == 150
    standard_input(monkeypatch, as_lines(SAID))
    result = imported("-", name="the same story")
    assert (result["messages"], result["skipped"]) == (100, 150)


def test_a_file_is_the_same_by_whatever_path(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert imported(f"../{file.parent.name}/{file.name}")["messages"] == 0


class Interrupting(RawIOBase):
    """An input that has something happen after so many bytes."""

    def __init__(self, content: bytes, after: int, act: Any) -> None:
        self._content = content
        self._after = after
        self._act = act
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._after and self._act:
            act, self._act = self._act, None
            act()
        piece = self._content[self._at : self._at + min(len(buffer), 1024)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def test_of_two_runs_of_one_import_the_slower_stops_and_nothing_is_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "conversations.jsonl"
    content = as_lines(SAID)
    file.write_bytes(content)

    def rival() -> None:
        assert imported(file, name="one")["messages"] == 250 - 100

    standard_input(monkeypatch, Interrupting(content, len(content) // 2, rival))
    run = run_import("-", name="one")
    assert "another run of this import is ahead" in str(run.error)
    assert everything() == by_application(SAID)
