"""The receivers of docs/webhooks.md verify real deliveries, with their standard libraries alone."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from tests.api.client import Api
from tests.docs.console import ROOT
from tests.live.servers import NO_TLS, eventually, free_port
from tests.webhooks.conftest import make_due, row, subscribe
from tests.webhooks.receiver import Received, receiver
from webhooks.runner import run

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
NODE = shutil.which("node")

pytestmark = pytest.mark.costly


def program(language: str) -> list[str]:
    """The command that runs the receiver of the page."""
    [source] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    if language == "python":
        return [sys.executable, "-c", source]
    assert NODE, "node is needed"
    return [NODE, "-e", source]


@contextmanager
def running(language: str, secret: str, port: int) -> Iterator["subprocess.Popen[str]"]:
    """The receiver, which soon listens."""
    environment = {**os.environ, "SECRET": secret, "PORT": str(port)}
    command = program(language)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_the_receiver_takes_what_is_genuine_and_nothing_else(api: Api, language: str) -> None:
    application, port = api.new_application(), free_port()
    api.say(api.new_chat(application), "x")
    webhook = subscribe(api, application, f"http://127.0.0.1:{port}/")
    path = f"{application}/webhooks/{webhook['id']}"
    new = api.post(f"{path}/secret").json()["secret"]
    with running(language, new, port) as process:

        def is_delivered() -> bool:
            if row(webhook).state == "failing":
                make_due(webhook)
            run()
            return row(webhook).last_status == 204

        eventually(is_delivered, 30, "it accepts a delivery")
        with receiver() as hook:
            api.patch(path, {"url": hook.url})
            api.post(f"{path}/replay", {"after": 0})
            run()
            [genuine] = hook.received
        for received, status in tampered(genuine):
            answer = httpx.post(
                f"http://127.0.0.1:{port}/",
                content=received.body,
                headers=dict(received.headers),
                verify=NO_TLS,
            )
            assert answer.status_code == status
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == "1 chat.created\n2 message.created\n"


def tampered(genuine: Received) -> Iterator[tuple[Received, int]]:
    """The genuine request, which repeats known events, and what is not genuine."""
    headers = dict(genuine.headers)
    old = str(int(headers["webhook-timestamp"]) - 1000)
    yield genuine, 204
    yield replace(genuine, body=genuine.body.replace(b'"1"', b'"7"')), 401
    yield replace(genuine, headers={**headers, "webhook-id": "msg_other"}), 401
    yield replace(genuine, headers={**headers, "webhook-timestamp": old}), 401
    yield replace(genuine, headers={**headers, "webhook-signature": "v1,AAAA v2,x"}), 401
