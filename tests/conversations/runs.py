"""Imports and exports, in this process or in a separate one that can be killed."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from io import BufferedReader, BytesIO, RawIOBase, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from applications.models import Application
from tests.conversations.texts import Said, as_lines
from tests.live.servers import ROOT


@dataclass
class Run:
    """An import's output, and its error if it failed."""

    result: dict[str, Any]
    complaints: str
    error: CommandError | None = None


def run_import(file: Path | str, **options: Any) -> Run:
    """Run an import, whether it fails or not."""
    stdout, stderr = StringIO(), StringIO()
    error = None
    try:
        call_command(
            "import_conversations", str(file), json=True, stdout=stdout, stderr=stderr, **options
        )
    except CommandError as failure:
        error = failure
    return Run(json.loads(stdout.getvalue() or "{}"), stderr.getvalue(), error)


def imported(file: Path | str, **options: Any) -> dict[str, Any]:
    """The result of an import, which must succeed without warnings."""
    run = run_import(file, **options)
    assert run.error is None
    assert run.complaints == ""
    return run.result


def exported(application: str) -> bytes:
    """The export of an application by its token or name."""
    stdout = StringIO(newline="")
    call_command("export_conversations", application, stdout=stdout)
    return stdout.getvalue().encode()


def said_in(export: bytes) -> list[Said]:
    """The messages of an export, by the names of their chats."""
    lines = [json.loads(line) for line in export.splitlines(keepends=True)]
    chats = {line["chat_number"]: line["name"] for line in lines if line["type"] == "chat"}
    return [
        (lines[0]["name"], chats[line["chat_number"]], line["body"])
        for line in lines
        if line["type"] == "message"
    ]


def told(application: str) -> bytes:
    """The messages that are exported of an application, as lines of the old format."""
    return as_lines(said_in(exported(application)))


def everything() -> dict[str, bytes]:
    """The messages of all applications by their names, as lines of the old format."""
    tokens = Application.objects.values_list("name", "token")
    return {name: told(token) for name, token in tokens}


def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes | RawIOBase) -> None:
    """Set the standard input of this process."""
    raw = BytesIO(content) if isinstance(content, bytes) else content

    class StandardInput:
        buffer = BufferedReader(raw)

    monkeypatch.setattr("sys.stdin", StandardInput)


def start(*arguments: str, environment: dict[str, str], **pipes: Any) -> subprocess.Popen[bytes]:
    """A manage.py command in a separate process."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, **pipes)


def lines_done(database: Path) -> int:
    """The number of lines done by the only import in this database."""
    with closing(sqlite3.connect(database)) as connection:
        row = connection.execute("SELECT lines_done FROM imports").fetchone()
    return row[0] if row else 0


def messages_in(database: Path) -> list[Said]:
    """All messages in this database, ordered by number."""
    query = """
        SELECT a.name, c.name, m.body FROM messages m
        JOIN chats c USING (application_token, chat_number)
        JOIN applications a ON a.token = m.application_token
        ORDER BY a.id, m.chat_number, m.message_number
    """
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()
