"""The application's single processes; scripts/stack knows only whole parts."""

from contextlib import suppress
from typing import Any

import psutil

from chaos import stack


def of_part(part: str) -> list[psutil.Process]:
    """The running processes of a part."""
    found = []
    for pid in stack.pids(part):
        with suppress(psutil.NoSuchProcess):  # the process has just ended
            found.append(psutil.Process(pid))
    return found


def web_processes() -> list[psutil.Process]:
    """The children that listen; Python's helper process and the parent serve no requests."""
    return [
        process
        for process in _children("web")
        if any(each.status == psutil.CONN_LISTEN for each in connections(process))
    ]


def one_web_process() -> list[psutil.Process]:
    """The first web process."""
    return web_processes()[:1]


def worker_parents() -> list[psutil.Process]:
    """The parents of the workers that store rows, that index, and that do the rest."""
    found = of_part("worker")
    return [process for process in found if _parent(process) not in found]


def worker_children() -> list[psutil.Process]:
    """The workers' pool processes, which run the tasks."""
    return _children("worker")


def connections(process: psutil.Process) -> list[Any]:
    """The process's TCP sockets; empty if it has ended."""
    with suppress(psutil.NoSuchProcess):
        return list(process.net_connections(kind="tcp"))
    return []


def _children(part: str) -> list[psutil.Process]:
    found = of_part(part)
    return [process for process in found if _parent(process) in found]


def _parent(process: psutil.Process) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        return process.parent()
    return None
