"""A chat with old messages, and purges in small steps."""

import json
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from retention import purge
from tests.api.client import Api
from tests.audit.results import Place


@dataclass(frozen=True)
class OldChat(Place):
    """A chat whose messages can be made old."""

    def grow_old(self, *numbers: int) -> None:
        """Backdate these messages, or all, by two days."""
        rows = self.messages.filter(message_number__in=numbers) if numbers else self.messages
        rows.update(created_at=F("created_at") - timedelta(days=2))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the stored messages."""
        rows = self.messages.order_by("message_number")
        return list(rows.values_list("message_number", flat=True))

    @property
    def purged_through(self) -> int:
        return self.chat.get().purged_through

    def purge(self, *arguments: str, before: str = "") -> dict[str, Any]:
        """Purge messages older than a day, or than `before`; return the command's output."""
        output = StringIO()
        before = before or (timezone.now() - timedelta(days=1)).isoformat()
        call_command(
            "purge", "--application", self.token, "--before", before, "--json", *arguments,
            stdout=output,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(output.getvalue())
        return found


def old_chat(path: str) -> OldChat:
    """The chat at this path."""
    _, _, token, _, number = path.split("/")
    return OldChat(token, int(number))


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let purges take three messages per step."""
    monkeypatch.setattr(purge, "ROWS", 3)


@pytest.fixture
def chat(api: Api) -> OldChat:
    """Ten messages, the first eight of them old."""
    path = api.new_chat()
    api.say(path, *map(str, range(1, 11)))
    found = old_chat(path)
    found.grow_old(*range(1, 9))
    call_command("reconcile_counts", "--json", stdout=StringIO())
    return found
