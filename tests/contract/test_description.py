"""The API does what its description says, by requests that schemathesis makes from it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.servers import ROOT, EmbeddedServer, manage, stack_url

#: Of each operation, and of each way from one to another. The limit is for a busy machine.
EXAMPLES = 8
LIMIT_S = 240

in_two_ways = pytest.mark.parametrize("phases", ["coverage,fuzzing", "stateful"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[EmbeddedServer]:
    """One that wants a key for everything."""
    folder = tmp_path_factory.mktemp("keys")
    with EmbeddedServer(folder, migrated, REQUIRE_KEYS="1") as server:
        yield server


@pytest.mark.embedded
@in_two_ways
def test_every_check_holds_where_keys_are_required(server: EmbeddedServer, phases: str) -> None:
    made = manage("operator_key", "schemathesis", environment=server.environment)
    key = made.stdout.splitlines()[-1]

    check(server.url, phases, "--header", f"Authorization: Bearer {key}")


@pytest.mark.stack
@in_two_ways
def test_every_check_holds_on_the_stack(phases: str) -> None:
    # That a key is asked for is the one thing that is not to be seen here.
    check(stack_url(), phases, "--exclude-checks", "ignored_auth")


def check(url: str, phases: str, *options: str) -> None:
    """Let schemathesis make its requests."""
    command = [str(ROOT / ".venv/bin/schemathesis"), "run", f"{url}/api/v1/schema", *options]
    command += ["--checks", "all", "--phases", phases, "--max-examples", str(EXAMPLES)]
    command += ["--generation-deterministic", "--no-color"]

    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )

    assert result.returncode == 0, result.stdout[-10_000:]
    assert " passed" in result.stdout
