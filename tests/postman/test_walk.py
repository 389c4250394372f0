"""The Postman collection passes its own tests, with `make run` and with keys on the services."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.servers import ROOT, MakeRun, StackServer, manage, stack_url
from tests.programs import needed

COLLECTION = ROOT / "docs/postman_collection.json"
#: What npm writes last, so it is there when all of it is.
INSTALLED = "tests/postman/node_modules/.package-lock.json"
INSTALL_LIMIT_S = 240
LIMIT_S = 120

Newman = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def newman(tmp_path_factory: pytest.TempPathFactory) -> Newman:
    """A function that runs a collection against a server and gives newman's report."""
    needed("npm", "nodejs and npm")  # it brings newman
    subprocess.run(["make", "-s", INSTALLED], cwd=ROOT, timeout=INSTALL_LIMIT_S, check=True)
    report = tmp_path_factory.mktemp("newman") / "report.json"

    def run(url: str, collection: Path = COLLECTION, **variables: str) -> dict[str, Any]:
        command = [str(ROOT / "tests/postman/node_modules/.bin/newman"), "run", str(collection)]
        command += ["--reporters", "json", "--reporter-json-export", str(report)]
        command += ["--timeout", str(LIMIT_S * 1000), "--timeout-request", "30000"]
        for name, value in {"baseUrl": url, **variables}.items():
            command += ["--env-var", f"{name}={value}"]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S + 30, check=False
        )
        assert ended.returncode in (0, 1), ended.stdout + ended.stderr
        outcome: dict[str, Any] = json.loads(report.read_text())["run"]
        assert (ended.returncode == 1) == bool(outcome["failures"])
        return outcome

    return run


def assert_green(outcome: dict[str, Any]) -> None:
    """Every request of the collection was sent, and every test of each one passed."""
    assert [(one["source"]["name"], one["error"]) for one in outcome["failures"]] == []
    folders = json.loads(COLLECTION.read_text())["item"]
    assert outcome["stats"]["requests"]["total"] == sum(len(folder["item"]) for folder in folders)
    assert outcome["stats"]["assertions"]["total"] > outcome["stats"]["requests"]["total"]
    assert {count["failed"] for count in outcome["stats"].values()} == {0}


def test_the_walk_is_green_against_make_run(newman: Newman, tmp_path: Path) -> None:
    with MakeRun(tmp_path) as server:
        assert_green(newman(server.url))


@pytest.mark.stack
def test_the_walk_is_green_on_the_services_where_keys_are_required(
    newman: Newman, tmp_path: Path
) -> None:
    with StackServer(tmp_path, REQUIRE_KEYS="1") as server:
        made = manage("operator_key", "postman", environment=server.environment)

        assert_green(newman(server.url, operatorKey=made.stdout.splitlines()[-1]))


@pytest.mark.stack
def test_an_answer_of_another_shape_is_seen(newman: Newman, tmp_path: Path) -> None:
    changed = tmp_path / "changed.json"
    required = r"\"messages_count\","
    changed.write_text(COLLECTION.read_text().replace(required, r"\"count_of_messages\","))

    failures = newman(stack_url(), changed)["failures"]

    assert {one["error"]["test"] for one in failures} == {"it has the described shape"}
    assert {one["parent"]["name"] for one in failures} == {"chats"}
