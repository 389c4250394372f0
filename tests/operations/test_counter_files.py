"""The processes of a host share their counters, however each process ends."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import values
from prometheus_client.registry import CollectorRegistry

from infra import prometheus_multiprocess
from tests.live.servers import ROOT, embedded_environment

pytestmark = pytest.mark.costly

#: Counts as often as a line from its standard input says; "fork" makes a child that counts once.
COUNTS = """
import os, sys
from infra.metrics import BREAKER_OPEN
from ingest.metrics import ACCEPTED, GROUP_ROWS
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
            env={**environment, prometheus_multiprocess.VARIABLE: str(directory)},
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
    """All samples that a scrape adds up, by name and bucket or label."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(prometheus_multiprocess.VARIABLE, str(directory))
        patch.setattr(values, "ValueClass", None)
        found = prometheus_multiprocess.collect(CollectorRegistry())
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for metric in found
        for sample in metric.samples
    }


def count_and_die(directory: Path, number: int) -> None:
    process = Counting(directory)
    process.told(str(number))
    process.kill()


def stop_in_tidy(directory: Path, step: int) -> int | None:
    """A process that stands still before this step of adding up; None when it has fewer."""
    child = os.fork()
    if child == 0:
        left = step

        def stop(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in STEPS and str(arguments[0]).startswith(str(directory)):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGSTOP)

        try:
            sys.addaudithook(stop)
            prometheus_multiprocess.merge_dead(directory)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, os.WUNTRACED)
    return child if os.WIFSTOPPED(status) else None


#: What Python tells of before it changes, or looks for, a file.
STEPS = {"open", "os.rename", "os.remove", "os.scandir", "os.link"}


def test_killed_or_paused_at_any_step_of_adding_up_each_process_counts_once(
    directory: Path, tmp_path: Path
) -> None:
    count_and_die(directory, 5)
    shown(directory)
    count_and_die(directory, 7)
    count_and_die(directory, 30)
    removals = 0
    for step in range(1, 200):
        copy = tmp_path / f"copy {step}"
        shutil.copytree(directory, copy)
        child = stop_in_tidy(copy, step)
        if child is None:
            break
        while_it_stands_still = shown(copy)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        removals += len(list(copy.glob("*.alive"))) < 2
        for found in (while_it_stands_still, shown(copy), shown(copy)):
            assert found["chatsystem_rows_accepted_total queue"] == 42, step
            assert found["chatsystem_accept_group_rows_count"] == 3, step
        assert not list(copy.glob("*.alive"))
        assert len(list(copy.glob("*_*.db"))) == 2
        shutil.rmtree(copy)
    assert removals, "it was never stopped late enough"


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
