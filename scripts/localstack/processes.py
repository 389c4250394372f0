"""The processes of a stack, wherever they stand in the tree of processes.

Each carries the stack's identity and its program's name in the environment it was started with, and
so do its descendants, also after their parent has died. A process that overwrites its environment
(as titles of processes do) is only found as long as its ancestors live.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from localstack.errors import StackError
from localstack.parts import Part
from localstack.waiting import wait_until

STACK_VARIABLE = "CHATSYSTEM_STACK"
PROGRAM_VARIABLE = "CHATSYSTEM_PROGRAM"
SUPERVISOR = "supervisord"
LAUNCHER = "localstack.launch"
KILL_LIMIT_S = 30
GRACE_S = 15


def program_name(part: Part, suffix: str = "") -> str:
    """The name tells the part, so that no table of programs is needed to find its processes."""
    return f"{part}-{suffix}" if suffix else str(part)


def markers(identity: str, program: str) -> dict[str, str]:
    """What to put into the environment of a program."""
    return {STACK_VARIABLE: identity, PROGRAM_VARIABLE: program}


def by_program(identity: str) -> dict[str, list[psutil.Process]]:
    """All processes of the stack with their descendants, but for this one and its ancestors."""
    pids = psutil.pids()
    programs = {pid: _program_of(pid, identity) for pid in pids}
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[str, list[psutil.Process]] = {}
    for pid in pids:
        program = programs[pid] or _inherited(pid, programs)
        if program is not None and pid not in spared:
            with suppress(psutil.NoSuchProcess):
                found.setdefault(program, []).append(psutil.Process(pid))
    return found


def of_program(identity: str, program: str) -> list[psutil.Process]:
    """The processes of one program."""
    return by_program(identity).get(program, [])


def by_part(identity: str) -> dict[Part, list[psutil.Process]]:
    """The processes of each part."""
    parts: dict[Part, list[psutil.Process]] = {part: [] for part in Part}
    for program, found in by_program(identity).items():
        with suppress(ValueError):
            parts[Part(program.partition("-")[0])] += found
    return parts


def of_part(identity: str, part: Part) -> list[psutil.Process]:
    """The same for one part."""
    return by_part(identity)[part]


def of_stack(identity: str) -> list[psutil.Process]:
    """All of them, supervisord included."""
    return [process for found in by_program(identity).values() for process in found]


def freeze(identity: str, part: Part) -> list[psutil.Process]:
    """SIGSTOP to all of a part. One may fork until the signal reaches it, hence the repetition."""
    frozen: set[psutil.Process] = set()

    def nothing_new() -> bool:
        new = set(of_part(identity, part)) - frozen
        send(new, signal.SIGSTOP)
        frozen.update(new)
        return not new

    wait_until(nothing_new, limit_s=KILL_LIMIT_S, failure=f"{part} did not stop forking")
    return list(frozen)


def is_frozen(process: psutil.Process) -> bool:
    """Stopped by SIGSTOP."""
    with suppress(psutil.Error):
        return process.status() == psutil.STATUS_STOPPED
    return False


def launching(identity: str) -> set[Part]:
    """Parts where the launcher is still at work: what answers now may be left over from before."""
    return {
        part
        for part, found in by_part(identity).items()
        if any(LAUNCHER in _command(process) for process in found)
    }


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal; who is gone already does not matter. A reused process number is noticed."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL, and return when all have let go of their files and ports."""
    victims = list(processes)
    send(victims, signal.SIGKILL)
    wait_until(
        lambda: all(_has_ended(victim) for victim in victims),
        limit_s=KILL_LIMIT_S,
        failure="processes did not end after SIGKILL",
    )


def terminate(processes: Iterable[psutil.Process]) -> None:
    """SIGTERM (also to the frozen), and SIGKILL to those left after the time of grace."""
    victims = list(processes)
    send(victims, signal.SIGTERM)
    send(victims, signal.SIGCONT)
    with suppress(StackError):
        wait_until(
            lambda: all(_has_ended(victim) for victim in victims), limit_s=GRACE_S, failure="grace"
        )
    kill(victim for victim in victims if not _has_ended(victim))


def _has_ended(process: psutil.Process) -> bool:
    """Gone, or a zombie without threads: then the kernel has closed all that it had open."""
    with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        if not process.is_running():
            return True
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return is_zombie and len(list(Path(f"/proc/{process.pid}/task").iterdir())) <= 1
    return True


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def _program_of(pid: int, identity: str) -> str | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    if identity.encode() not in environment:
        return None
    pairs = dict(
        entry.split("=", 1) for entry in os.fsdecode(environment).split("\0") if "=" in entry
    )
    return pairs.get(PROGRAM_VARIABLE) if pairs.get(STACK_VARIABLE) == identity else None


def _inherited(pid: int, programs: dict[int, str | None]) -> str | None:
    """The program of the nearest ancestor that has one."""
    while pid > 1:
        pid = _parent(pid)
        if program := programs.get(pid):
            return program
    return None


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return int(stat.rpartition(b")")[2].split()[1])
