"""A running site as operators have it: an address, and manage.py commands."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from tests.live.servers import NO_TLS, manage

#: Not a secret: the site is a test's.
PASSWORD = "a password for tests"  # noqa: S105

_SET_ASIDE = """
from ingest.dead_letters.set_aside import set_aside
from ingest.records import NumberedRow, record_types
from messages_app.models import Message
from tests.live.servers import eventually

rows = Message.objects.filter(application_token={token!r}, chat_number=1, message_number={number})
eventually(rows.exists, 60, "the message is stored")
row = rows.get()
lost = NumberedRow(
    record_types()["messages"], ({token!r}, 1, {number}), int(row.created_at.timestamp() * 1e6),
    row.acceptance.hex, (row.body,),
)
rows.delete()
try:
    raise ValueError("Incorrect string value for column 'body' at row 1")
except ValueError as error:
    set_aside(lost, f"ValueError: {{error}}", error)
"""


@dataclass(frozen=True)
class Site:
    """The site's address, and the settings of its processes."""

    url: str
    environment: Mapping[str, str]

    def command(self, *arguments: str, **variables: str) -> str:
        """The output of a manage.py command."""
        environment = {**os.environ, **self.environment, **variables}
        done = manage(*arguments, environment=environment, within=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def new_operator(self) -> str:
        """The name of a new superuser, whose password is PASSWORD."""
        name = f"operator-{uuid4().hex[:6]}"
        arguments = ("--noinput", "--username", name, "--email", "operator@example.org")
        self.command("createsuperuser", *arguments, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
        return name

    def set_aside(self, token: str, number: int) -> None:
        """Replace a stored message of the application's chat 1 by a dead letter."""
        self.command("shell", "-v", "0", "-c", _SET_ASIDE.format(token=token, number=number))

    def tell_an_hour(self) -> None:
        """Replace the dashboard's samples by those of an hour (tests.browser.hour)."""
        self.command("shell", "-v", "0", "-c", "from tests.browser.hour import write; write()")

    def forget_samples(self) -> None:
        """Delete all samples of the dashboard."""
        self.command("shell", "-v", "0", "-c", "from tests.browser.hour import forget; forget()")

    def api(self) -> httpx.Client:
        """A client of its API."""
        return httpx.Client(base_url=f"{self.url}/api/v1", timeout=60, verify=NO_TLS)


@dataclass(frozen=True)
class Said:
    """A chat with messages."""

    token: str
    name: str

    @property
    def address(self) -> str:
        """The address of its conversation in the admin."""
        return f"/admin/conversations/{self.token}/1/"


def new_chat(site: Site, name: str, bodies: list[str]) -> Said:
    """The first chat of a new application, with these messages."""
    with site.api() as api:
        token = _made(api.post("/applications", json={"name": "Bäckerei Sonnenschein 🥐"}))["token"]
        _made(api.post(f"/applications/{token}/chats", json={"name": name}))
        messages = f"/applications/{token}/chats/1/messages"
        for start in range(0, len(bodies), 100):
            some = [{"body": body} for body in bodies[start : start + 100]]
            _made(api.post(f"{messages}/bulk", json={"messages": some}))
    return Said(token, name)


def _made(answer: httpx.Response) -> Any:
    assert answer.status_code == 201, answer.text
    return json.loads(answer.content)
