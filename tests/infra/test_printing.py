"""Commands print client-chosen names as visible text that has no other effect."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import get_commands, load_command_class

from applications.services import create_application, make_operator_key
from infra.commands import LineCommand
from infra.logs.formatting import OWN_PACKAGES, visible
from ingest.dead_letters.set_aside import Letter, keep
from ingest.models import DeadLetter
from tests.commands import run_as_manage_py
from tests.conversations.runs import exported
from tests.live.servers import embedded_environment, manage
from tests.rows import create_chat, create_message

#: Colours, moves, a forged line, directions, ends of lines that only some take for such.
HOSTILE = "evil\x1b[31m\x9b2J\x07\r\x7f\nerror forged\u2028x\x85y\u202ez\u2066w"
SEEN = r"evil\x1b[31m\x9b2J\x07\r\x7f\nerror forged\u2028x\x85y\u202ez\u2066w"


def run(*arguments: str) -> tuple[str, str]:
    """Standard output and error of a command, as `manage.py` has them written."""
    _, stdout, stderr = run_as_manage_py(*arguments)
    return stdout, stderr


def assert_harmless(text: str) -> None:
    """Every line shows all of itself."""
    assert text.endswith("\n")
    assert [line for line in text.split("\n") if visible(line) != line] == []
    assert "\nerror forged" not in text


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A file of a hostile name with hostile names in it, and a line that is none."""
    file = tmp_path / HOSTILE.replace("/", "")
    said = {"application": HOSTILE, "chat": HOSTILE, "body": HOSTILE}
    file.write_text(json.dumps(said) + "\n{" + HOSTILE)
    return file


def test_an_import(db: None, lines: Path) -> None:
    stdout, stderr = run("import_conversations", str(lines))

    assert_harmless(stdout)
    assert_harmless(stderr)
    assert SEEN in stdout
    assert SEEN in stderr
    listed, _ = run("import_conversations", "--rejected")
    assert_harmless(listed)
    assert SEEN in listed


def test_results_for_programs_are_what_they_say(db: None, lines: Path) -> None:
    stdout, _ = run("import_conversations", str(lines), "--json")

    assert_harmless(stdout)
    assert stdout.count("\n") == 1
    [application] = json.loads(stdout)["applications"]
    assert application["name"] == HOSTILE


@pytest.mark.parametrize(
    "arguments",
    [
        ("export_conversations", HOSTILE),
        ("purge", "--before", "2020-01-01", "--application", HOSTILE),
        ("import_conversations", HOSTILE),
        ("convert_export", "slack", HOSTILE, "-"),
        ("operator_key", HOSTILE, "--revoke"),
    ],
)
def test_a_failure(db: None, arguments: tuple[str, ...]) -> None:
    _, stderr = run(*arguments)

    assert_harmless(stderr)
    assert SEEN in stderr


def test_a_key_that_is_revoked(db: None) -> None:
    make_operator_key(name=HOSTILE)

    stdout, _ = run("operator_key", HOSTILE, "--revoke")

    assert stdout == f"revoked: {SEEN}\n"


@pytest.mark.parametrize(
    "arguments", [("list",), ("show", "$"), ("replay", "$")], ids=lambda words: words[0]
)
def test_dead_letters(transactional_db: None, arguments: tuple[str, ...]) -> None:
    letter = set_aside()

    stdout, _ = run("dead_letters", *(word.replace("$", str(letter)) for word in arguments))

    assert_harmless(stdout)
    if arguments[0] != "replay":
        assert SEEN in stdout
    # Nothing that was set aside looks like a field of its own.
    assert "\nkind: forged" not in stdout


def test_an_audit(transactional_db: None) -> None:
    set_aside()

    stdout, _ = run("audit")

    assert_harmless(stdout)
    assert SEEN in stdout


def set_aside() -> int:
    """A dead letter of which everything is hostile; its ID."""
    error = ValueError(f"{HOSTILE}\nkind: forged")
    letter = Letter(kind="message", queue=HOSTILE, key=(), payload={"headers": {}, "body": "eA=="})
    keep(uuid4(), letter, HOSTILE, error)
    return DeadLetter.objects.get().pk


def test_exported_conversations_are_read_as_they_were_and_do_nothing(db: None) -> None:
    token = create_application(name=HOSTILE).token
    create_chat(application_token=token, name=HOSTILE)
    create_message(application_token=token, chat_number=1, body=HOSTILE)

    export = exported(token).decode()

    assert_harmless(export)
    application, chat, message = map(json.loads, export.splitlines())
    assert application["name"] == chat["name"] == message["body"] == HOSTILE


def test_text_that_only_looks_unusual_stays() -> None:
    for text in ("山田\u3000太郎", "می\u200cخواهم", "👩\u200d💻", "a\u00a0b", "שלום", "é"):
        assert visible(text) == text


def test_every_command_writes_so() -> None:
    names = [name for name, application in get_commands().items() if application in OWN_PACKAGES]

    assert "audit" in names
    commands = [load_command_class(get_commands()[name], name) for name in names]
    assert all(isinstance(command, LineCommand) for command in commands)


def test_an_error_that_nobody_foresaw(tmp_path: Path) -> None:
    done = manage(
        "shell",
        "-c",
        f"raise ValueError({HOSTILE!r})",
        environment=embedded_environment(tmp_path),
    )

    assert done.returncode == 1
    assert [line for line in done.stderr.split("\n") if visible(line) != line] == []
    assert r"ValueError: evil\x1b[31m" in done.stderr


@pytest.mark.parametrize(
    "command", [("export_conversations",), ("application_key",), ("new_epoch", "--reason")]
)
def test_an_argument_that_is_no_text_is_wrong_usage(command: tuple[str, ...]) -> None:
    status, _, stderr = run_as_manage_py(*command, "caf\udce9")

    assert status == 2
    assert "is not UTF-8" in stderr
