"""A deploy: SIGTERM ends each process of the application in turn, and a new one replaces it."""

import os
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import psutil

from chaos.fault import Fault, Find
from chaos.processes import connections, of_part, web_processes, worker_parents
from chaos.waiting import until

_REPLACED_WITHIN_SECONDS = 90.0
_ANSWER_SECONDS = 5.0


class Deploy(Fault):
    """Ends a process only after the replacement of the previous one works."""

    def inject(self) -> None:
        """Replace web processes, then workers, then beat. Raises ChaosError."""
        for process in web_processes():
            _replace(process, web_processes, _serves)
        for process in worker_parents():
            _replace(process, worker_parents, is_connected)
        for process in _beat():
            _replace(process, _beat, psutil.Process.is_running)


def _beat() -> list[psutil.Process]:
    return of_part("beat")


def _replace(old: psutil.Process, find: Find, is_at_work: Callable[[psutil.Process], bool]) -> None:
    before = find()
    old.terminate()

    def is_replaced() -> bool:
        new = [process for process in find() if process not in before]
        return not old.is_running() and bool(new) and all(map(is_at_work, new))

    until(is_replaced, f"another for process {old.pid} is at work", _REPLACED_WITHIN_SECONDS)


def _serves(process: psutil.Process) -> bool:
    """Whether this process served a new connection; any web process may accept it."""
    address = urlsplit(os.environ["BASE_URL"])
    http = HTTPConnection(address.netloc, timeout=_ANSWER_SECONDS)
    try:
        http.request("GET", "/health/live")
        http.getresponse().read()
        port = http.sock.getsockname()[1] if http.sock else 0
        return any(each.raddr and each.raddr.port == port for each in connections(process))
    except (OSError, HTTPException):
        return False
    finally:
        http.close()


def is_connected(process: psutil.Process) -> bool:
    """Whether the process has a connection to the broker."""
    port = urlsplit(os.environ["BROKER_URL"]).port
    return any(
        each.raddr and each.raddr.port == port and each.status == psutil.CONN_ESTABLISHED
        for each in connections(process)
    )
