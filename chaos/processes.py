"""The application's processes one by one, where scripts/stack knows whole parts only."""

import psutil

from chaos import stack


def web_processes() -> list[psutil.Process]:
    """Those that serve; their parent only starts them."""
    return _children("web")


def one_web_process() -> list[psutil.Process]:
    """The first of them."""
    return web_processes()[:1]


def worker_parents() -> list[psutil.Process]:
    """Of the one that stores, of the one for the index, and of the one for the rest."""
    found = [psutil.Process(pid) for pid in stack.pids("worker")]
    pids = {process.pid for process in found}
    return [process for process in found if process.ppid() not in pids]


def worker_children() -> list[psutil.Process]:
    """The processes of their pools, which do the work."""
    return _children("worker")


def _children(part: str) -> list[psutil.Process]:
    found = [psutil.Process(pid) for pid in stack.pids(part)]
    pids = {process.pid for process in found}
    return [process for process in found if process.ppid() in pids]
