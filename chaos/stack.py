"""Break and repair parts of the local stack with scripts/stack."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import redis
from kombu import Connection

from bench.services import parts
from chaos.errors import ChaosError
from infra.rabbitmq.queues import WORK

ROOT = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 300
ANSWER_SECONDS = 10

_STACK = str(ROOT / "scripts" / "stack")


def do(command: str, *of: str) -> None:
    """Run `scripts/stack COMMAND PART`, or with several parts. Raises ChaosError if it fails."""
    result = run(_STACK, command, *of)
    if result.returncode != 0:
        raise ChaosError(f"{command} {' '.join(of)}: {result.stdout}{result.stderr}")


@contextmanager
def broken(command: str, part: str, lasting: float = 0) -> Iterator[None]:
    """Break the part during the block, for at least `lasting` seconds. Raises ChaosError."""
    began = time.monotonic()
    do(command, part)
    try:
        yield
        time.sleep(max(0.0, began + lasting - time.monotonic()))
    finally:
        mend(command, part)


def mend(command: str, part: str) -> None:
    """Undo this command. Raises ChaosError."""
    do({"pause": "resume", "cut": "heal"}.get(command, "start"), part)


def start_all() -> None:
    """Start every part that does not run. Raises ChaosError."""
    for name, part in parts().items():
        if part.state != "running":
            do("heal" if part.state == "cut" else "start", name)


def pids(part: str) -> Sequence[int]:
    """The process ids of a part, parents and children."""
    return parts()[part].pids


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a manage.py command and return its result."""
    return run(sys.executable, str(ROOT / "manage.py"), *arguments)


def python(*arguments: str) -> None:
    """Run Python with these arguments. Raises ChaosError if it fails."""
    result = run(sys.executable, *arguments)
    if result.returncode != 0:
        raise ChaosError(result.stderr)


def run(
    *command: str,
    within: float = LIMIT_SECONDS,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, for at most `within` seconds; return its result."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


def queued(*queues: str) -> int:
    """The number of messages in these queues, without those that a worker holds."""
    with Connection(os.environ["BROKER_URL"], connect_timeout=ANSWER_SECONDS) as connection:
        channel: Any = connection.channel()
        declared = [channel.queue_declare(queue, passive=True) for queue in queues]
        return sum(int(answer.message_count) for answer in declared)


def purge(queue: str) -> None:
    """Remove the waiting messages of a queue."""
    with Connection(os.environ["BROKER_URL"], connect_timeout=ANSWER_SECONDS) as connection:
        channel: Any = connection.channel()
        channel.queue_purge(queue)


def queues() -> Sequence[str]:
    """The names of all work queues."""
    return list(WORK)


def redis_client() -> redis.Redis:
    """A client of the stack's Redis."""
    return redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=ANSWER_SECONDS)
