"""The output of `manage.py audit`, parsed."""

import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db.models import QuerySet

from chats.models import Chat
from messages_app.models import Message


@dataclass(frozen=True)
class Place:
    """A chat, and direct access to its rows."""

    token: str
    number: int

    @property
    def path(self) -> str:
        return f"/applications/{self.token}/chats/{self.number}"

    @property
    def name(self) -> str:
        return f"{self.token}/{self.number}"

    @property
    def chat(self) -> "QuerySet[Chat]":
        return Chat.objects.filter(application_token=self.token, chat_number=self.number)

    @property
    def messages(self) -> "QuerySet[Message]":
        return Message.objects.filter(application_token=self.token, chat_number=self.number)

    def message(self, number: int) -> "QuerySet[Message]":
        return self.messages.filter(message_number=number)


@dataclass(frozen=True)
class Result:
    """Exit status and findings, except the one that the index is switched off."""

    status: int
    ok: bool
    findings: list[dict[str, Any]]

    @property
    def sorts(self) -> set[tuple[str, str]]:
        """The checks with findings, and their severity."""
        return {(one["check"], one["severity"]) for one in self.findings}

    def details(self, check: str) -> str:
        """The details of one check's findings."""
        return "\n".join(one["detail"] for one in self.findings if one["check"] == check)


def audit(*arguments: str) -> Result:
    """The result of `manage.py audit`."""
    output, status = StringIO(), 0
    try:
        call_command("audit", "--json", *arguments, stdout=output)
    except SystemExit as end:
        status = int(end.code or 0)
    document = json.loads(output.getvalue())
    assert set(document) == {"ok", "findings"}
    found = [one for one in document["findings"] if "switched off" not in one["detail"]]
    return Result(status, document["ok"], found)


def found_nothing(result: Result) -> bool:
    """Whether the audit succeeded without findings."""
    return (result.status, result.ok, result.findings) == (0, True, [])
