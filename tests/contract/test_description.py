"""The API matches its description, checked with requests that schemathesis generates from it."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.live.servers import ROOT, StackServer, manage

#: Of each operation, and of each way from one to another. The limit is for a busy machine.
EXAMPLES = 8
LIMIT_S = 240


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackServer]:
    """One on the stack's services that wants a key for everything."""
    with StackServer(tmp_path_factory.mktemp("keys"), REQUIRE_KEYS="1") as server:
        yield server


@pytest.mark.stack
@pytest.mark.parametrize("phases", ["coverage,fuzzing", "stateful"])
def test_every_check_holds(server: StackServer, phases: str) -> None:
    made = manage("operator_key", "schemathesis", environment=server.environment)
    key = made.stdout.splitlines()[-1]

    check(server.url, phases, "--header", f"Authorization: Bearer {key}")


def check(url: str, phases: str, *options: str) -> None:
    """Let schemathesis make its requests."""
    command = [str(ROOT / ".venv/bin/schemathesis"), "run", f"{url}/api/v1/schema", *options]
    command += ["--checks", "all", "--phases", phases, "--max-examples", str(EXAMPLES)]
    # On a busy machine it takes long to make up requests, which says nothing about the API.
    command += ["--suppress-health-check", "too_slow", "--generation-deterministic", "--no-color"]

    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )

    assert result.returncode == 0, result.stdout[-10_000:]
    assert " passed" in result.stdout
