"""Processes of a host count together, whatever becomes of them."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.multiprocess import MultiProcessCollector

from core import counter_files
from tests.live.servers import ROOT, embedded_environment

pytestmark = pytest.mark.embedded

#: Counts as often as a line from its standard input says; "fork" makes a child that counts once.
COUNTS = """
import os, sys
from core.metrics import ACCEPTED, BREAKER_OPEN, GROUP_ROWS
BREAKER_OPEN.labels("redis").set(1)
for line in sys.stdin:
    if line.strip() == "fork":
        if (child := os.fork()) == 0:
            ACCEPTED.labels("queue").inc()
            os._exit(0)
        os.waitpid(child, 0)
    else:
        ACCEPTED.labels("queue").inc(int(line))
        GROUP_ROWS.observe(int(line))
    print("done", flush=True)
"""


class Counting:
    """A process that counts when it is told to."""

    def __init__(self, directory: Path) -> None:
        environment = embedded_environment(directory.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-c", COUNTS],
            cwd=ROOT,
            env={**environment, counter_files.VARIABLE: str(directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def told(self, what: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


@pytest.fixture
def two(directory: Path) -> Iterator[tuple[Counting, Counting]]:
    both = Counting(directory), Counting(directory)
    yield both
    for process in both:
        process.kill()


def shown(directory: Path) -> dict[str, float]:
    """All samples that a scrape would add up, by name and bucket or label."""
    counter_files.tidy(directory)
    collector = MultiProcessCollector(None, str(directory))
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for metric in collector.collect()
        for sample in metric.samples
    }


def test_counts_of_living_processes_are_added_up(
    two: tuple[Counting, Counting], directory: Path
) -> None:
    two[0].told("3")
    two[1].told("4")

    assert shown(directory)["chatsystem_rows_accepted_total queue"] == 7
    assert shown(directory)["chatsystem_breaker_open redis"] == 2


def test_what_a_killed_process_has_counted_stays_and_its_files_go(
    two: tuple[Counting, Counting], directory: Path
) -> None:
    two[0].told("3")
    two[0].told("30")
    two[1].told("4")
    before = shown(directory)

    two[0].kill()
    after = shown(directory)

    assert after.pop("chatsystem_breaker_open redis") == 1
    assert before.pop("chatsystem_breaker_open redis") == 2
    assert after == before
    assert after["chatsystem_accept_group_rows_bucket 5.0"] == 2
    assert after["chatsystem_accept_group_rows_sum"] == 37
    assert len(list(directory.glob("*.alive"))) == 1
    assert len(list(directory.glob("counter_*.db"))) == 2


def test_totals_never_fall_however_many_processes_end(directory: Path) -> None:
    for number in range(1, 4):
        process = Counting(directory)
        process.told("5")
        process.kill()

        assert shown(directory)["chatsystem_rows_accepted_total queue"] == 5 * number
        assert not list(directory.glob("*.alive"))


def test_a_forked_child_counts_beside_its_parent(
    two: tuple[Counting, Counting], directory: Path
) -> None:
    two[0].told("1")
    two[0].told("fork")
    two[0].told("1")

    assert shown(directory)["chatsystem_rows_accepted_total queue"] == 3


def test_a_parent_is_alive_though_its_child_has_ended(
    two: tuple[Counting, Counting], directory: Path
) -> None:
    two[0].told("fork")
    shown(directory)
    two[0].told("2")

    assert shown(directory)["chatsystem_rows_accepted_total queue"] == 3
