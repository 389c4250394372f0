"""Inputs of imports with several applications in a batch, and what runs make of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from applications.models import Application
from conversations.models import ImportShare
from tests.conversations.runs import Run, exported, run_import, told
from tests.conversations.texts import as_line
from tests.conversations.transactions import LOST, Transactions


@dataclass(frozen=True)
class Input:
    """A file in one of the formats, and the applications that it makes."""

    file: Path
    name: str
    is_export: bool

    @property
    def stored(self) -> list[bytes]:
        """The export of each application, in the order of the import."""
        shares = ImportShare.objects.filter(of__source=self.name).exclude(application_token="")
        tokens = [share.application_token for share in shares.order_by("pk")]
        assert Application.objects.filter(token__in=tokens).count() == len(tokens)
        export = exported if self.is_export else told
        return [export(token).replace(self.name.encode(), b"NAME") for token in tokens]

    def run(self) -> Run:
        """Import it."""
        return run_import(self.file, name=self.name)

    def stop(self, transactions: Transactions, after: int) -> None:
        """Import it, and stop after so many transactions."""
        transactions.count, transactions.lost = 0, after
        assert LOST in str(self.run().error)
        assert transactions.count == after
        transactions.lost = 0


def named(suffix: str) -> Iterator[bytes]:
    """Lines of the old format: three applications in turn, with lines that are invalid."""
    for number in range(150):
        yield as_line((f"{'abc'[number % 3]} {suffix}", f"chat {number % 4}", f"{number}")).encode()
        if number % 20 == 0:
            yield b"bad\n\n"


def line(kind: str, **fields: Any) -> bytes:
    """A line of an export."""
    return (
        json.dumps({"type": kind, "created_at": "2026-01-31T12:00:00Z", **fields}).encode() + b"\n"
    )


def export() -> Iterator[bytes]:
    """Four applications, of which one is invalid and one goes on in the second batch.

    Some lines of each are refused because their numbers were given before.
    """
    for name in ("a", "b", "", "c"):
        yield line("application", name=name)
        for chat in (1, 2, 2):
            yield line("chat", chat_number=chat, name=f"chat {chat}")
        for number in range(1, 21 if name < "c" else 61):
            yield line("message", chat_number=1, message_number=number, body=f"{name}{number}")
            if number % 10 == 0:
                yield line("message", chat_number=1, message_number=number, body="again")
                yield b"bad\n\n"


def figures(run: Run) -> list[int]:
    """The numbers of lines that a run reports."""
    return [run.result[name] for name in ("lines", "messages", "rejected", "empty", "skipped")]


def added(run: Run) -> list[tuple[int, int]]:
    """The chats and messages of each application, as a run reports them."""
    return [(one["chats"], one["messages"]) for one in run.result["applications"]]


def complaints(run: Run) -> list[str]:
    """The rejected lines that a run reports, with their numbers."""
    return [one.split("/")[-1].split(":", 1)[1] for one in run.complaints.splitlines()]


def kept(of: Input) -> list[str]:
    """The rejected lines that are kept, as they are listed."""
    stdout = StringIO()
    call_command("import_conversations", "--rejected", "--name", of.name, stdout=stdout)
    return sorted(one.removeprefix(of.name) for one in stdout.getvalue().splitlines())


def first_lines(content: bytes, count: int) -> bytes:
    """The beginning of a file."""
    return b"".join(content.splitlines(keepends=True)[:count])


def changed(content: bytes, *, at: int) -> bytes:
    """The same lines, but one of them has an end that was not there before."""
    lines = content.splitlines(keepends=True)
    lines[at] = lines[at].replace(b"\n", b" \n")
    return b"".join(lines)
