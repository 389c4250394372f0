"""Tests that need separate processes: kills, concurrent imports, pipes and memory."""

import json
import os
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conversations.export_format import (
    ApplicationLine,
    ChatLine,
    History,
    MessageLine,
)
from tests.conversations.conftest import Place
from tests.conversations.runs import lines_done, messages_in, start
from tests.conversations.texts import as_lines, by_application, conversations, endless_input
from tests.live.servers import eventually, manage

pytestmark = pytest.mark.costly

SAID = conversations(4_000, chats=2)
HISTORY = History(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC), 3)
CHAT = {"name": "c", "metadata": '{"b":1,"a":2}'}


@pytest.fixture
def file(place: Place) -> Path:
    """A file of four batches."""
    path = place.folder / "conversations.jsonl"
    path.write_bytes(as_lines(SAID))
    return path


def assert_each_line_is_stored_once(place: Place) -> None:
    stored = messages_in(place.database)
    assert by_application(stored) == by_application(SAID)
    assert len(stored) == len(SAID)


def test_killed_at_any_point_and_run_again_each_line_is_stored_once(
    place: Place, file: Path
) -> None:
    for batches in (1, 2):
        process = start("import_conversations", str(file), environment=place.environment)
        eventually(
            lambda batches=batches: lines_done(place.database) >= batches * 1000,  # type: ignore[misc]
            30,
            f"{batches} batches are stored",
        )
        process.kill()
        assert process.wait() == -signal.SIGKILL
        # A batch may be stored in part.
        done = lines_done(place.database)
        assert done <= len(messages_in(place.database)) <= done + 1000 <= 4_000
    again = manage("import_conversations", str(file), environment=place.environment)
    assert again.returncode == 0, again.stderr
    assert_each_line_is_stored_once(place)


def test_an_export_whose_import_was_killed_is_restored_exactly(place: Place) -> None:
    file = place.folder / "export.jsonl"
    lines: list[ApplicationLine | ChatLine] = [
        ApplicationLine("a", 1, HISTORY),
        ChatLine(1, CHAT, 3_998, 0, HISTORY),
    ]
    messages = (
        MessageLine(
            1, number, {"body": str(number), "sender": "Ann", "metadata": None}, None, HISTORY
        )
        for number in range(2, 4_000)
    )
    file.write_text("".join(line.as_line() for line in (*lines, *messages)))
    process = start("import_conversations", str(file), environment=place.environment)
    eventually(lambda: lines_done(place.database) >= 1000, 30, "a batch is stored")
    process.kill()
    process.wait()
    again = manage("import_conversations", str(file), environment=place.environment)
    assert again.returncode == 0, again.stderr
    restored = manage("export_conversations", "a", environment=place.environment)
    assert restored.stdout == file.read_text()


def test_two_at_once_store_each_line_once(place: Place, file: Path) -> None:
    processes = [
        start(
            "import_conversations",
            str(file),
            environment=place.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    ends = [process.communicate(timeout=60) for process in processes]
    assert_each_line_is_stored_once(place)
    assert 0 in [process.returncode for process in processes]
    for process, (_, stderr) in zip(processes, ends, strict=True):
        assert process.returncode == 0 or b"another run of this import is ahead" in stderr


def test_sigterm_ends_a_process_that_waits_for_input(place: Place) -> None:
    process = start(
        "import_conversations",
        "-",
        environment=place.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    process.stdin.write(as_lines(SAID[:2_500]))
    process.stdin.flush()
    eventually(lambda: lines_done(place.database) == 2_000, 30, "two batches are stored")
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 143
    assert b"interrupted by SIGTERM after line 2,000" in stderr
    assert b"Traceback" not in stderr


def test_an_export_to_a_pipe_that_closes_ends_without_a_word(place: Place) -> None:
    file = place.folder / "long.jsonl"
    file.write_bytes(as_lines([("long", "chat", "字" * 1024)] * 500))
    manage("import_conversations", str(file), environment=place.environment)
    process = start(
        "export_conversations",
        "long",
        environment=place.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    first = process.stdout.read(20)
    process.stdout.close()
    complaints = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 141
    assert first.startswith(b'{"type":"application')
    assert complaints == b""


def test_memory_does_not_grow_with_the_input(place: Place) -> None:
    small = peak_memory(place, units=5)
    large = peak_memory(place, units=20)
    assert large < small + 12 * 1024, f"{small} KiB for 10 MB, {large} KiB for 40 MB"


def test_memory_does_not_grow_with_a_conversion(place: Place) -> None:
    small = peak_memory_of_conversion(place, posts=2_000)
    large = peak_memory_of_conversion(place, posts=20_000)
    assert large < small + 12 * 1024, f"{small} KiB for 2,000 posts, {large} KiB for 20,000"


def peak_memory_of_conversion(place: Place, posts: int) -> int:
    """The most KiB that a conversion of so many posts, latest first, was resident with."""
    file = place.folder / "export.jsonl"
    with file.open("w") as output:
        output.write('{"type": "version", "version": 1}\n')
        for number in range(posts, 0, -1):
            post = {"team": "t", "channel": "c", "create_at": number, "message": "字" * 500}
            output.write(f"{json.dumps({'type': 'post', 'post': post})}\n")
    process = start(
        "convert_export", "mattermost", str(file), "-", environment=place.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return peak_memory_at_end(process)


def peak_memory(place: Place, units: int) -> int:
    """The most KiB that an import of so many units was resident with."""
    process = start(
        "import_conversations",
        "-",
        "--name",
        str(units),
        environment=place.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin
    with process.stdin as pipe:
        for piece in endless_input(units):
            pipe.write(piece)
    return peak_memory_at_end(process)


def peak_memory_at_end(process: "subprocess.Popen[bytes]") -> int:
    """The most KiB that this process, which must succeed, was resident with."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss
