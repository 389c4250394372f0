"""Clients that offer HTTP/2, Java's own and curl, can create, read and search."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.servers import eventually, stack_url
from tests.programs import needed

CLIENT = Path(__file__).with_name("Client.java")
LIMIT_S = 60
#: One that was not created has no number: 1 to 5 are answered in order.
MESSAGES = 5


pytestmark = pytest.mark.stack


@pytest.fixture
def messages() -> str:
    """The address of the messages of a new chat, on the stack."""
    url = stack_url()
    token = httpx.post(f"{url}/api/v1/applications", json={"name": "clients"}).json()["token"]
    chats = f"{url}/api/v1/applications/{token}/chats"
    assert httpx.post(chats, json={"name": "clients"}).status_code == 201
    return f"{chats}/1/messages"


def test_java_creates_reads_and_searches(messages: str) -> None:
    needed("javac", "openjdk-17-jdk-headless")
    lines = output("java", str(CLIENT), messages, str(MESSAGES)).splitlines()
    answers = [(int(line[:3]), json.loads(line[4:])) for line in lines]

    assert [status for status, _ in answers] == [201, 200] * MESSAGES + [200, 200]
    for number in range(1, MESSAGES + 1):
        (_, created), (_, read) = answers[2 * number - 2 : 2 * number]
        assert created == read
        assert created["message_number"] == number
        assert created["body"] == f"hello from Java {number}"
    (_, listed), (_, found) = answers[-2:]
    assert len(listed["results"]) == MESSAGES
    assert_found(found, messages, "Java")


def test_curl_that_prefers_http_2_creates_reads_and_searches(messages: str) -> None:
    needed("curl", "curl")
    for number in range(1, MESSAGES + 1):
        text = f"hello from curl {number}"
        status, created = curl(messages, "--json", json.dumps({"body": text}))
        assert status == 201
        assert (created["message_number"], created["body"]) == (number, text)
        assert curl(f"{messages}/{number}") == (200, created)
    status, found = curl(f"{messages}/search?query=curl")

    assert status == 200
    assert_found(found, messages, "curl")


def curl(*arguments: str) -> tuple[int, Any]:
    """The status and the document of one request, for which an upgrade is offered."""
    printed = output("curl", "--silent", "--http2", "--write-out", "\n%{http_code}", *arguments)
    document, _, status = printed.rpartition("\n")
    return int(status), json.loads(document)


def output(*command: str) -> str:
    """What a program prints that ends well and in time."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def assert_found(found: dict[str, Any], messages: str, word: str) -> None:
    """All of them are found, at once in the database and soon in the index."""
    if len(found["results"]) == MESSAGES:
        return
    with httpx.Client() as http:

        def is_complete() -> bool:
            answer = http.get(f"{messages}/search", params={"query": word})
            return len(answer.json()["results"]) == MESSAGES

        eventually(is_complete, LIMIT_S, "all messages are found")
