"""A Celery worker for one test, with the test database and a separate queue."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psutil
from django.db import connection
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from tests.live.servers import ROOT
from tests.pipeline.queue import TestQueue

APPLICATION = "tests.pipeline.worker_application"


class TestWorker:
    """`celery worker` with a pool of one process."""

    __test__ = False

    def __init__(
        self,
        queue: TestQueue,
        folder: Path,
        fault: str = "",
        *,
        application: str = APPLICATION,
        **settings: str,
    ) -> None:
        self._application = application
        self.fault_file = folder / "fault"
        self.log = folder / "worker.log"
        self._queue = queue
        self._metrics = folder / "metrics"
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "REDIS_URL": "",
            "VAR_DIR": str(folder),
            "PROMETHEUS_MULTIPROC_DIR": str(self._metrics),
            "TEST_QUEUE": queue.name,
            "TEST_FAILED": queue.failed,
            "FAULT": fault,
            "FAULT_FILE": str(self.fault_file),
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "line",
            **settings,
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the worker; it takes a few seconds to become active."""
        command = [sys.executable, "-m", "celery", "--quiet", "-A", self._application, "worker"]
        command += ["--without-gossip", "--without-mingle", "--hostname", self._queue.name]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def stop(self) -> None:
        """Send SIGTERM and wait at most 30 seconds, half of the stack's limit."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def kill(self) -> None:
        """Send SIGKILL to the parent and its children."""
        children = self.children()
        self.process.kill()
        for child in children:
            child.kill()
        self.process.wait()
        psutil.wait_procs(children)

    def children(self) -> list[psutil.Process]:
        """The processes of the pool."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def done(self) -> int:
        """The number of messages stored and, except one at most, acknowledged."""
        return sum(map(int, re.findall(r"rows\.stored .* messages=(\d+)", self.log.read_text())))

    def counted(self, name: str, **labels: str) -> float:
        """The value of the counter of this name over its processes."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._metrics))
        return registry.get_sample_value(name, labels) or 0

    def send(self, task: str) -> None:
        """Send a task to its queue through Celery, as beat does."""
        code = f"from {self._application} import app; app.send_task({task!r})"
        command = [sys.executable, "-c", code]
        subprocess.run(command, cwd=ROOT, env=self._environment, check=True)

    def has_logged(self, text: str) -> bool:
        """Whether the text is in the worker's log."""
        return text in self.log.read_text()


def database_url() -> str:
    """The URL of the test's database, for another process."""
    given = urlsplit(os.environ["DATABASE_URL"])
    return given._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
