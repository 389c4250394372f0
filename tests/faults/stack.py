"""The local stack's parts, broken and mended by scripts/stack."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from kombu import Connection

from tests.live import servers as live
from tests.live.servers import ROOT

LIMIT_SECONDS = 300
ANSWER_SECONDS = 10


def do(command: str, part: str) -> None:
    """`scripts/stack COMMAND PART`."""
    result = _run(str(ROOT / "scripts" / "stack"), command, part)
    assert result.returncode == 0, f"{command} {part}: {result.stdout}{result.stderr}"


@contextmanager
def broken(command: str, part: str, lasting: float = 0) -> Iterator[None]:
    """The part is broken by this command while the block runs, and for so many seconds at least."""
    began = time.monotonic()
    do(command, part)
    try:
        yield
        time.sleep(max(0.0, began + lasting - time.monotonic()))
    finally:
        do("resume" if command == "pause" else "start", part)


def start_all() -> None:
    """Start or resume every part that does not run."""
    status = _run(str(ROOT / "scripts" / "stack"), "status", "--json")
    for line in json.loads(status.stdout):
        if line["state"] != "running":
            do("start", line["part"])


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The result of a manage.py command on the stack."""
    return live.manage(*arguments, environment=os.environ, within=LIMIT_SECONDS)


def python(*arguments: str) -> None:
    """Another process with the application's settings, which must succeed."""
    result = _run(sys.executable, *arguments)
    assert result.returncode == 0, result.stderr


def queued(queue: str) -> int:
    """How many task messages wait in this queue, those that a worker holds left out."""
    with Connection(os.environ["BROKER_URL"], connect_timeout=ANSWER_SECONDS) as connection:
        channel: Any = connection.channel()
        return int(channel.queue_declare(queue, passive=True).message_count)


def redis_client() -> redis.Redis:
    """A client for looking at Redis."""
    return redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=ANSWER_SECONDS)


@contextmanager
def older_redis(folder: Path) -> Iterator[None]:
    """Redis has after the block what it had before it; it is stopped and started for both."""
    with redis_client() as client:
        data = Path(client.config_get("dir")["dir"])
    with broken("stop", "redis"):
        shutil.copytree(data, folder)
    yield
    with broken("stop", "redis"):
        shutil.rmtree(data)
        shutil.copytree(folder, data)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
