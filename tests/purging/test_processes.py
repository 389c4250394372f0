"""Tests that need separate processes: kills, and creates during a purge."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from tests.live.servers import ROOT, EmbeddedServer, eventually, manage

MESSAGES = 3000


@pytest.fixture
def environment(request: pytest.FixtureRequest, base_url: str) -> Mapping[str, str]:
    """That of the processes which serve there."""
    if "embedded" in request.node.callspec.id:
        server: EmbeddedServer = request.getfixturevalue("embedded")
        return server.environment
    return os.environ


@pytest.fixture
def chat(http: httpx.Client) -> str:
    """A new chat with many messages."""
    token = http.post("/applications", json={"name": "purged"}).raise_for_status().json()["token"]
    chat = f"/applications/{token}/chats/1"
    http.post(f"/applications/{token}/chats", json={"name": "x"}).raise_for_status()
    for _ in range(MESSAGES // 500):
        bodies = [{"body": "old"}] * 500
        http.post(f"{chat}/messages/bulk", json={"messages": bodies}).raise_for_status()
    return chat


def purge(chat: str, *more: str) -> list[str]:
    """The command that purges all that is there by now."""
    token = chat.split("/")[2]
    return ["purge", "--application", token, "--before", datetime.now(UTC).isoformat(), *more]


def listed(http: httpx.Client, chat: str) -> list[int]:
    """The numbers of all messages, page by page."""
    numbers: list[int] = []
    page = {"next": f"{chat}/messages?limit=200"}
    while page["next"]:
        answer = http.get(page["next"]).raise_for_status().json()
        numbers += [one["message_number"] for one in answer["results"]]
        page = answer
    return numbers


@pytest.mark.costly
def test_creates_go_on_meanwhile_and_none_is_lost(
    http: httpx.Client, chat: str, environment: Mapping[str, str]
) -> None:
    accepted: list[int] = []
    is_over = Event()

    def create() -> None:
        while not is_over.is_set():
            answer = http.post(f"{chat}/messages", json={"body": "new"}).raise_for_status()
            accepted.append(answer.json()["message_number"])

    eventually(lambda: len(listed(http, chat)) == MESSAGES, 30, "all are there")
    loads = [Thread(target=create) for _ in range(4)]
    for load in loads:
        load.start()
    try:
        eventually(lambda: len(accepted) > 20, 30, "creates go on")
        found = json.loads(manage(*purge(chat, "--json"), environment=environment).stdout)
        # What was pending when the first came by is purged by a second.
        first_of_all = accepted[0]
        while found["held_up"]:
            found = json.loads(manage(*purge(chat, "--json"), environment=environment).stdout)
        so_far = len(accepted)
        eventually(lambda: len(accepted) > so_far + 20, 30, "creates still go on")
    finally:
        is_over.set()
        for load in loads:
            load.join()

    assert first_of_all > MESSAGES
    assert sorted(accepted) == list(range(MESSAGES + 1, MESSAGES + len(accepted) + 1))
    left = listed(http, chat)
    assert left == list(range(left[0], MESSAGES + len(accepted) + 1))
    assert left[0] > MESSAGES
    assert http.get(f"{chat}/messages/{left[0] - 1}").status_code == 404


@pytest.mark.costly
def test_killed_at_any_point_and_run_again_everything_goes_once(embedded: EmbeddedServer) -> None:
    database = Path(embedded.environment["VAR_DIR"]) / "chatsystem.sqlite3"
    with httpx.Client(base_url=f"{embedded.url}/api/v1", timeout=60) as http:
        token = http.post("/applications", json={"name": "x"}).json()["token"]
        chat = f"/applications/{token}/chats/1"
        http.post(f"/applications/{token}/chats", json={"name": "x"})
        for _ in range(16):
            http.post(f"{chat}/messages/bulk", json={"messages": [{"body": "x"}] * 500})
        command = [sys.executable, "manage.py", *purge(chat)]

        def left() -> int:
            with closing(sqlite3.connect(database)) as connection:
                query = "SELECT COUNT(*) FROM messages WHERE application_token = ?"
                return int(connection.execute(query, (token,)).fetchone()[0])

        for number, status in ((signal.SIGKILL, -9), (signal.SIGTERM, 143)):
            before = left()
            process = subprocess.Popen(
                command, cwd=ROOT, env=embedded.environment, stderr=subprocess.PIPE
            )
            eventually(lambda before=before: left() < before, 30, "it has begun", every=0.001)  # type: ignore[misc]
            process.send_signal(number)
            _, complaints = process.communicate(timeout=30)
            assert process.returncode == status
            assert 0 < left() < 8000
            assert b"Traceback" not in complaints
            # The job of one that was killed is held for a minute.
            with closing(sqlite3.connect(database)) as connection, connection:
                connection.execute("UPDATE jobs SET held_until = NULL WHERE name = 'purge'")

        done = subprocess.run(command, cwd=ROOT, env=embedded.environment, check=False)

        assert (done.returncode, left()) == (0, 0)
        assert listed(http, chat) == []
        created = http.post(f"{chat}/messages", json={"body": "next"}).json()
        assert created["message_number"] == 8001
    assert manage("reconcile_counts", environment=embedded.environment).returncode == 0
    audit = manage("audit", environment=embedded.environment)
    assert audit.returncode == 0, audit.stdout
