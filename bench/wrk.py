"""Load by wrk: as many requests as a server answers over a number of connections.

wrk counts completed requests. Those in flight when it ends may be stored and are not counted.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psutil

from bench import BenchError

_SCRIPT = Path(__file__).with_name("wrk.lua")


class Request(NamedTuple):
    """A request: `body` is sent as JSON, `path` may be empty for that of the load's URL.

    `header` is one more header, as "Name: value".
    """

    method: str
    path: str = ""
    body: object = None
    header: str = ""


@contextmanager
def request_file(requests: Iterable[Request]) -> Iterator[Path]:
    """A file of these requests for `load`, which exists while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests"
        path.write_text("\n".join(map(line_of, requests)), encoding="utf-8")
        yield path


def line_of(request: Request) -> str:
    """The request as wrk.lua reads it. JSON escapes tabs and line breaks."""
    body = json.dumps(request.body, ensure_ascii=False) if request.body else ""
    return f"{request.method}\t{request.path}\t{request.header}\t{body}"


@dataclass(frozen=True)
class Keys:
    """Headers of each request: an application's key, and an Idempotency-Key of its own.

    Their names begin with the prefix: one that means nothing leaves the same load without effect.
    """

    application: str
    prefix: str = ""


@dataclass(frozen=True)
class Load:
    """Result of one run of wrk."""

    requests: int
    seconds: float
    refused: int
    """Answers with a status of 400 and above."""
    broken: int
    """Connections that failed; the outcome of their requests is unknown."""
    p50_ms: float
    p99_ms: float
    stolen: float
    """Share of the machine's processor time that other machines took during the run."""
    busy_seconds: float
    """Processor time of all processes of this machine during the run, wrk and services included."""
    stored: int = 0
    """Rows that the server's table gained during the run."""

    @property
    def answered(self) -> int:
        """Requests that were answered with a status below 400."""
        return self.requests - self.refused

    @property
    def rate(self) -> float:
        """Answered requests a second."""
        return self.answered / self.seconds

    @property
    def stored_rate(self) -> float:
        """Rows stored a second."""
        return self.stored / self.seconds

    @property
    def processor_ms(self) -> float:
        """Processor time of one answered request; less noisy than the rate on shared machines."""
        return 1000 * self.busy_seconds / max(self.answered, 1)


def checked(seen: Load) -> Load:
    """The load. Raises BenchError unless all of its requests were answered, with less than 400."""
    if seen.refused or seen.broken or not seen.answered:
        raise BenchError(f"not every request was answered well: {seen}")
    return seen


def load(
    url: str,
    requests: Path,
    *,
    connections: int,
    seconds: float,
    rate: float = 0,
    keys: Keys | None = None,
) -> Load:
    """Send the file's requests again and again, at most `rate` a second unless that is 0.

    Raises CalledProcessError when wrk fails.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(_SCRIPT), url, "--"]
    command += [str(requests), str(rate)]
    command += [keys.application, uuid4().hex, keys.prefix] if keys else []
    before = psutil.cpu_times()
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    after = psutil.cpu_times()
    total = sum(after) - sum(before)
    stolen = after.steal - before.steal
    idle = after.idle + after.iowait - before.idle - before.iowait
    return Load(
        **json.loads(finished.stdout.splitlines()[-1]),
        stolen=stolen / total,
        busy_seconds=total - stolen - idle,
    )
