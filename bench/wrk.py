"""Load by wrk: as many requests as a server answers over so many connections.

wrk counts completed requests: those under way at its end may be stored and are not counted.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

_SCRIPTS = Path(__file__).parent


@dataclass(frozen=True)
class Keys:
    """An application's key, and an Idempotency-Key of each request's own.

    They are in headers whose names begin with the prefix.
    """

    application: str
    prefix: str = ""


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw."""

    requests: int
    seconds: float
    refused: int
    """Answers with a status of 400 and above."""
    broken: int
    """Connections that failed; what was asked over them is open."""
    late: int
    p50_ms: float
    p99_ms: float
    stolen: float
    """The share of the machine's processor time that other machines took meanwhile."""
    busy_seconds: float
    """Processor time of all that ran on this machine meanwhile, wrk and services included."""

    @property
    def answered(self) -> int:
        """Requests that were accepted."""
        return self.requests - self.refused

    @property
    def rate(self) -> float:
        """Accepted requests a second."""
        return self.answered / self.seconds

    @property
    def processor_ms(self) -> float:
        """What one accepted request cost; less noisy than the rate where much is stolen."""
        return 1000 * self.busy_seconds / max(self.answered, 1)


def load(
    address: str,
    requests: Path,
    *,
    connections: int,
    seconds: float,
    rate: float = 0,
    keys: Keys | None = None,
) -> Load:
    """Post the file's requests to the address, again and again, at most `rate` a second if given.

    With keys they bear them.
    """
    arguments = [keys.application, uuid4().hex, keys.prefix] if keys else []
    given = [str(requests), str(rate), *arguments]
    return _run("post.lua", address, given, connections, seconds)


def mixed_load(
    base_url: str, requests: Path, *, connections: int, seconds: float, known: str = ""
) -> Load:
    """Send the file's requests (see bench.requests) to the server, again and again.

    With `known` its reads say that they know this version.
    """
    arguments = [str(requests), *([known] if known else [])]
    return _run("mixed.lua", base_url, arguments, connections, seconds)


def _run(
    script: str, address: str, arguments: Sequence[str], connections: int, seconds: float
) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s"]
    command += ["-s", str(_SCRIPTS / script), address, "--", *arguments]
    environment = {**os.environ, "LUA_PATH": f"{_SCRIPTS}/?.lua;;"}
    before = psutil.cpu_times()
    finished = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    after = psutil.cpu_times()
    total = sum(after) - sum(before)
    stolen = after.steal - before.steal
    idle = after.idle + after.iowait - before.idle - before.iowait
    return Load(
        **json.loads(finished.stdout.splitlines()[-1]),
        stolen=stolen / total,
        busy_seconds=total - stolen - idle,
    )
