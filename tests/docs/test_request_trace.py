"""`python -m scripts.request_trace`: the files it finds and the limits it checks."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.urls import resolve

from scripts.request_trace.scenario import GET, LIST, POST, SEARCH, Executed
from scripts.request_trace.table import EMBEDDED, LIMITS, PRODUCTION, above_limits, table
from tests.docs.console import ROOT

MESSAGES = "/api/v1/applications/672b6577bf3cf4ac082894aa/chats/1/messages"
PATHS = {
    POST: MESSAGES,
    GET: f"{MESSAGES}/1",
    LIST: MESSAGES,
    SEARCH: f"{MESSAGES}/search",
}


def listed_files(*options: str) -> dict[tuple[str, str, str], list[str]]:
    """The files that the command lists, by request, profile and process."""
    command = [sys.executable, "-m", "scripts.request_trace", "--files", *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    sections = re.findall(
        r"^(.+), (\w+), (\w+) process: \d+ files\n((?:  .+\n)+)", done.stdout, re.MULTILINE
    )
    return {
        (request, profile, process): files.split() for request, profile, process, files in sections
    }


def view_file(request: str) -> str:
    """The file of the view that answers this request."""
    view = resolve(PATHS[request]).func.cls  # type: ignore[attr-defined] # DRF's
    method = inspect.unwrap(view.post if request == POST else view.get)
    return str(Path(inspect.getfile(method)).relative_to(ROOT))


@pytest.mark.costly
def test_each_request_executes_its_view_and_files_of_the_project_alone() -> None:
    found = listed_files()

    assert {request for request, *_ in found} == set(LIMITS)
    for (request, *_), files in found.items():
        assert view_file(request) in files
        assert "chatsystem/settings.py" not in files  # runs at import
        for file in files:
            assert (ROOT / file).is_file()
            assert not file.startswith((".venv", "tests/", "scripts/"))
    assert view_file(SEARCH) not in found[GET, EMBEDDED, "web"]
    assert len(found[GET, EMBEDDED, "web"]) < len(found[POST, EMBEDDED, "web"])


@pytest.mark.faults  # breaks nothing, but counts the requests of other tests too
@pytest.mark.stack
def test_in_production_a_post_goes_on_in_the_worker() -> None:
    found = listed_files("--production")

    in_worker = {key for key in found if "worker" in key}
    assert in_worker == {(POST, PRODUCTION, "worker")}
    assert view_file(POST) in found[POST, PRODUCTION, "web"]
    assert view_file(POST) not in found[POST, PRODUCTION, "worker"]


def executed(web: int, worker: int = 0) -> Executed:
    """So many files in each process, and one in both."""
    return Executed(
        frozenset({"both.py", *(f"web/{number}.py" for number in range(web - 1))}),
        frozenset(
            {"both.py", *(f"worker/{number}.py" for number in range(worker - 1))} if worker else ()
        ),
    )


@pytest.mark.costly
def test_a_count_above_its_limit_is_reported() -> None:
    limits = {profile: LIMITS[POST][profile] for profile in (EMBEDDED, PRODUCTION)}
    most = limits[PRODUCTION]

    assert above_limits({EMBEDDED: {POST: executed(limits[EMBEDDED])}}) == []
    [above] = above_limits({EMBEDDED: {POST: executed(limits[EMBEDDED] + 1)}})
    assert "POST message, embedded" in above
    assert above_limits({PRODUCTION: {POST: executed(most - 9, 10)}}) == []
    assert above_limits({PRODUCTION: {POST: executed(most - 8, 10)}}) != []


@pytest.mark.costly
def test_the_table_counts_a_file_of_both_processes_once() -> None:
    counts = {PRODUCTION: dict.fromkeys(LIMITS, executed(5, 3))}

    [_, _, first, *_] = table(counts)

    assert first == f"| POST message | 5 | 3 | 7 | {LIMITS[POST][PRODUCTION]} |"
