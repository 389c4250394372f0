"""The client in docs/events.md works as it is printed."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.console import ROOT
from tests.live.servers import NO_TLS, EmbeddedServer, eventually

WITHIN = 30


@pytest.fixture
def client(tmp_path: Path) -> Path:
    page = (ROOT / "docs" / "events.md").read_text()
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "client.py"
    path.write_text(program)
    return path


@pytest.fixture
def printed(client: Path, embedded: EmbeddedServer, application: str) -> Iterator[Path]:
    """What the client prints while it runs."""
    output = client.with_suffix(".out")
    address = embedded.url.removeprefix("http://")
    with output.open("w") as out:
        command = [sys.executable, str(client), address, f"/api/v1{application}/stream"]
        running = subprocess.Popen(command, stdout=out)
    yield output
    running.terminate()
    running.wait(WITHIN)


@pytest.fixture
def http(embedded: EmbeddedServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{embedded.url}/api/v1", verify=NO_TLS) as http:
        yield http


@pytest.fixture
def application(http: httpx.Client) -> str:
    token = http.post("/applications", json={"name": "x"}).json()["token"]
    return f"/applications/{token}"


def test_the_client_prints_what_happens(
    http: httpx.Client, application: str, printed: Path
) -> None:
    def rename_until_it_is_heard() -> bool:
        """The client may not be connected at first."""
        http.patch(application, json={"name": "renamed"})
        return bool(printed.read_text())

    eventually(rename_until_it_is_heard, WITHIN, "the client is connected", every=0.5)
    http.post(f"{application}/chats", json={"name": "x"})
    eventually(lambda: "chat.created" in printed.read_text(), WITHIN, "the client hears of it")

    lines = [line.split() for line in printed.read_text().splitlines()]
    numbers = [int(number) for _, number in lines]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
