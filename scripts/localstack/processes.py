"""The processes of a stack, wherever they are in the tree of processes.

The environment of each names the stack's identity, the part and the program. Descendants inherit
them, also when their parent has died. A process that overwrites its environment is found by its
ancestors.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

STACK_VARIABLE = "CHATSYSTEM_STACK"
PART_VARIABLE = "CHATSYSTEM_PART"
PROGRAM_VARIABLE = "CHATSYSTEM_PROGRAM"
KILL_LIMIT_S = 30
GRACE_S = 15
INTERVAL_S = 0.05


class StackError(Exception):
    """The command failed. The message is one sentence: the reason, and where to look."""


def wait_until(condition: Callable[[], bool], *, limit_s: float, failure: str) -> None:
    """Return as soon as the condition holds; raise StackError when the limit is over."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() >= deadline:
            raise StackError(f"{failure} within {limit_s:g} s")
        time.sleep(INTERVAL_S)


def markers(identity: str, part: str, program: str) -> dict[str, str]:
    """The variables for the environment of a program."""
    return {STACK_VARIABLE: identity, PART_VARIABLE: part, PROGRAM_VARIABLE: program}


def by_program(identity: str) -> dict[str, list[psutil.Process]]:
    """The stack's processes with their descendants; not this process and its ancestors.

    The `info` of each has its `cmdline` and its `status`.
    """
    return _grouped(identity, PROGRAM_VARIABLE)


def by_part(identity: str) -> dict[str, list[psutil.Process]]:
    """The same processes by their parts."""
    return _grouped(identity, PART_VARIABLE)


def _grouped(identity: str, variable: str) -> dict[str, list[psutil.Process]]:
    parents: dict[int, int] = {}
    groups: dict[int, str] = {}
    processes = list(psutil.process_iter(["ppid"]))
    for process in processes:
        parents[process.pid] = process.info["ppid"] or 0
        with suppress(OSError, psutil.Error):
            # Most processes are not ours, so look for the identity before the parsing.
            if identity.encode() in Path(f"/proc/{process.pid}/environ").read_bytes():
                environment = process.environ()
                if environment.get(STACK_VARIABLE) == identity:
                    groups[process.pid] = environment.get(variable, "")
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[str, list[psutil.Process]] = {}
    for process in processes:
        pid = process.pid
        while pid and pid not in groups:
            pid = parents.get(pid, 0)
        with suppress(psutil.NoSuchProcess):
            if pid and process.pid not in spared:
                process.info = process.as_dict(["cmdline", "status"])
                found.setdefault(groups[pid], []).append(process)
    return found


def of_part(identity: str, part: str) -> list[psutil.Process]:
    """The processes of one part."""
    return by_part(identity).get(part, [])


def freeze(identity: str, part: str) -> list[psutil.Process]:
    """SIGSTOP to all of a part, repeated because one may fork before the signal reaches it."""
    frozen: set[psutil.Process] = set()

    def nothing_new() -> bool:
        new = set(of_part(identity, part)) - frozen
        send(new, signal.SIGSTOP)
        frozen.update(new)
        return not new

    wait_until(nothing_new, limit_s=KILL_LIMIT_S, failure=f"{part} did not stop forking")
    return list(frozen)


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal. A process that has ended is skipped, also when its number is in use again."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL; returns when all have released their files and ports."""
    victims = list(processes)
    send(victims, signal.SIGKILL)
    wait_until(
        lambda: all(map(_has_ended, victims)),
        limit_s=KILL_LIMIT_S,
        failure="processes did not end after SIGKILL",
    )


def end_all(identity: str) -> None:
    """SIGTERM to all processes of the stack, also to frozen ones; SIGKILL after a time of grace."""
    victims = [process for found in by_program(identity).values() for process in found]
    send(victims, signal.SIGTERM)
    send(victims, signal.SIGCONT)
    with suppress(StackError):
        wait_until(lambda: all(map(_has_ended, victims)), limit_s=GRACE_S, failure="")
    kill(victims)


def _has_ended(process: psutil.Process) -> bool:
    """Gone, or a zombie without threads: the kernel has then closed all that it had open."""
    with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        if not process.is_running():
            return True
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return is_zombie and len(list(Path(f"/proc/{process.pid}/task").iterdir())) <= 1
    return True
