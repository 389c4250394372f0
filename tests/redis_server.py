"""A real Redis for one test, with the production settings, which the test can break."""

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from typing import Self

import redis

from tests.live.servers import eventually, free_port

#: Production has one, too.
PASSWORD = token_hex()


class RedisServer:
    """`redis-server` on a free port, with its data in the folder."""

    options: Sequence[str] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.folder.mkdir(parents=True)
        self._copy = folder / "copy"
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._snapshot: dict[bytes, bytes] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        self.kill()

    def start(self) -> None:
        """Start it on the data that it has, and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.folder), "--save", "", "--appendonly", "yes"]
        command += ["--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        command += ["--requirepass", PASSWORD, *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(self._answers, 20, "redis")

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._process is not None

    def kill(self) -> None:
        """Send SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Send SIGSTOP: connections stay open without responses."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start a new process with the same data."""
        self.kill()
        self.start()

    def wipe(self) -> None:
        """Start a new process without data."""
        self.kill()
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.start()

    def take_copy(self) -> None:
        """Save a copy of the current data."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.folder, self._copy)

    def put_back_copy(self) -> None:
        """Start a new process with the saved data."""
        self.kill()
        shutil.rmtree(self.folder)
        shutil.copytree(self._copy, self.folder)
        self.start()

    def take_over_from(self, other: "RedisServer") -> None:
        """Start a new process with the other's data, as a replica that was promoted."""
        self.kill()
        shutil.rmtree(self.folder)
        shutil.copytree(other.folder, self.folder)
        self.start()

    def take_snapshot(self) -> None:
        """Save the current data without a restart."""
        client = self.client()
        self._snapshot = {key: client.dump(key) or b"" for key in client.scan_iter()}

    def put_back_snapshot(self) -> None:
        """Simulate a restart with the saved data, within a millisecond."""
        client = self.client()
        client.script_flush()
        client.flushall()
        for key, value in self._snapshot.items():
            client.restore(key, 0, value)
        self._drop_clients(client)

    def wipe_at_once(self) -> None:
        """Simulate a restart without data."""
        client = self.client()
        client.script_flush()
        client.flushall()
        self._drop_clients(client)

    def restart_at_once(self) -> None:
        """Simulate a restart with all data."""
        client = self.client()
        client.script_flush()
        self._drop_clients(client)

    @staticmethod
    def _drop_clients(client: redis.Redis) -> None:
        client.client_kill_filter(_type="normal", skipme=True)

    def client(self) -> redis.Redis:
        """A client for inspecting the data."""
        return redis.Redis.from_url(self.url)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False
