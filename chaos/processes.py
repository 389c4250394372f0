"""The application's processes one by one, where scripts/stack knows whole parts only."""

from contextlib import suppress
from typing import Any

import psutil

from chaos import stack


def of_part(part: str) -> list[psutil.Process]:
    """All that live."""
    found = []
    for pid in stack.pids(part):
        with suppress(psutil.NoSuchProcess):  # it has ended just now
            found.append(psutil.Process(pid))
    return found


def web_processes() -> list[psutil.Process]:
    """Those that listen; their parent only starts them, and Python's own helper serves nobody."""
    return [
        process
        for process in _children("web")
        if any(each.status == psutil.CONN_LISTEN for each in connections(process))
    ]


def one_web_process() -> list[psutil.Process]:
    """The first of them."""
    return web_processes()[:1]


def worker_parents() -> list[psutil.Process]:
    """Of the one that stores, of the one for the index, and of the one for the rest."""
    found = of_part("worker")
    return [process for process in found if _parent(process) not in found]


def worker_children() -> list[psutil.Process]:
    """The processes of their pools, which do the work."""
    return _children("worker")


def connections(process: psutil.Process) -> list[Any]:
    """Its sockets of TCP; none of one that has ended."""
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
