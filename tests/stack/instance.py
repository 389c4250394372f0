"""A separate local stack for the tests of scripts/stack, beside any other on this machine."""

import json
import os
import subprocess
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

COMMAND = Path(__file__).resolve().parents[2] / "scripts" / "stack"
LIMIT_S = 600
GREETING = """it's "a test", 100 % $HOME"""


@dataclass(frozen=True)
class PartStatus:
    """The status of one part in `status --json`."""

    state: str
    pids: tuple[int, ...]
    port: int | None


class Instance:
    """Runs scripts/stack with the given state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = os.environ | {"STACK_DIR": str(folder), "STACK_ES_HEAP": "256m"}
        self.environ["STACK_ES_OPTION"] = "-XX:TieredStopAtLevel=1"

    def try_to(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command, whether it fails or not."""
        return subprocess.run(
            [COMMAND, *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def do(self, *arguments: str) -> str:
        """Run one command, which must succeed, and return its output."""
        done = self.try_to(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}{done.stdout}"
        return done.stdout

    def up(self, *options: str) -> None:
        """Start every part, with the options of these tests."""
        self.do("up", "--port", "0", "--web", "1", "--set", f"GREETING={GREETING}", *options)

    def status(self) -> dict[str, PartStatus]:
        """The status of each part by its name."""
        return {
            line["part"]: PartStatus(line["state"], tuple(line["pids"]), line["port"])
            for line in json.loads(self.try_to("status", "--json").stdout)
        }

    def hosts(self) -> dict[str, str]:
        """The address of each part by its name."""
        lines = json.loads(self.try_to("status", "--json").stdout)
        return {line["part"]: line["host"] for line in lines}

    def standing(self) -> dict[str, PartStatus]:
        """The status without child processes: a broker's helpers come and go."""
        return {
            part: PartStatus(status.state, tuple(sorted(_roots(status.pids))), status.port)
            for part, status in self.status().items()
        }

    def env(self) -> dict[str, str]:
        """The environment of a shell that has evaluated the output of `env`."""
        script = 'set -eua; eval "$("$0" env)"; exec env -0'
        output = subprocess.run(
            ["bash", "-c", script, COMMAND],
            env={"STACK_DIR": str(self.folder), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        ).stdout
        return dict(line.split("=", 1) for line in output.split("\0") if line)

    def web_answers(self) -> bool:
        """Whether the web server reports within two seconds that it is ready."""
        with suppress(httpx.HTTPError):
            url = f"http://127.0.0.1:{self.status()['web'].port}/health/ready"
            return httpx.get(url, timeout=2).status_code == httpx.codes.OK
        return False

    def processes(self) -> list[psutil.Process]:
        """Every living process that belongs to the state folder, found without scripts/stack.

        Its command line or environment names the folder, or one of its ancestors' does.
        """
        found = {process for process in psutil.process_iter() if self._belongs_here(process)}
        for process in list(found):
            with suppress(psutil.NoSuchProcess):
                found.update(process.children(recursive=True))
        return [process for process in found if _is_alive(process)]

    def _belongs_here(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            words = [*process.cmdline(), *process.environ().values()]
            return any(str(self.folder) in word for word in words)
        return False


def _roots(pids: Collection[int]) -> Iterator[int]:
    """The living processes whose parent is not among these."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).ppid() not in pids:
                yield pid


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
