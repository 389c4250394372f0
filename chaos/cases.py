"""The matrix: each case's name, its fault, how long the fault lasts, and what must still work."""

from collections.abc import Mapping
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from chaos.clock import SteppedClock
from chaos.deploy import Deploy
from chaos.disk import FullDisk
from chaos.fault import Fault, Find, Parts, Signalled
from chaos.processes import one_web_process, worker_children, worker_parents
from chaos.services import MemoryAlarm, OlderRedis, TruncatedRedis

_STOP_SECONDS = 15.0
#: Seconds that a fault lasts, by command; a wiped service is back at once.
_LASTING = {"kill": 5.0, "pause": 10.0, "stop": _STOP_SECONDS, "wipe": 0.0}
#: The signal that breaks processes and, if needed, the one that resumes them.
_SIGNALS = {"kill": (SIGKILL,), "pause": (SIGSTOP, SIGCONT), "stop": (SIGTERM,)}
#: While one of these is down, the share `_AVAILABLE` of requests must succeed.
_DISPENSABLE = frozenset({"redis", "rabbitmq", "elasticsearch", "worker", "beat"})
_AVAILABLE = 0.99


@dataclass(frozen=True)
class Case:
    """One row of the table. `down`: the parts that are down or have lost data.

    `required`: the share of creates, of reads and of edits that must succeed, starting `grace`
    seconds after the fault. `padding`: extra characters in each body. `inside`: the part on whose
    side of the network some clients are, which nothing is required for.
    """

    name: str
    fault: Fault
    down: tuple[str, ...]
    lasting: float
    required: float | None = None
    grace: float = 2.0
    padding: int = 0
    inside: str = ""


def _of_parts(command: str, *parts: str) -> Case:
    return _case(f"{command}-{'+'.join(parts)}", Parts(command, *parts), parts, _LASTING[command])


def _of_processes(command: str, name: str, part: str, find: Find) -> Case:
    fault = Signalled(find, *_SIGNALS[command])
    return _case(f"{command}-{name}", fault, (part,), _LASTING[command])


def _case(name: str, fault: Fault, down: tuple[str, ...], lasting: float) -> Case:
    required = _AVAILABLE if len(down) == 1 and down[0] in _DISPENSABLE else None
    return Case(name, fault, down, lasting, required)


def _all() -> list[Case]:
    # Redis's cases come last: for a day after each, an idempotency key that Redis lacks is looked
    # up in the table, so creates with keys need the database.
    parts = ("web", "worker", "beat", "mariadb", "elasticsearch", "rabbitmq", "redis")
    return [
        *(_of_parts(command, part) for part in parts for command in ("kill", "pause", "stop")),
        # Supervision restarts a stopped process at once.
        *(_of_processes(command, "one-web", "web", one_web_process) for command in _SIGNALS),
        *(
            _of_processes(command, f"worker-{place}", "worker", find)
            for place, find in (("parents", worker_parents), ("children", worker_children))
            for command in _SIGNALS
        ),
        *(_of_parts("wipe", part) for part in ("redis", "rabbitmq", "elasticsearch")),
        _case("older-redis", OlderRedis(), ("redis",), 0.0),
        _case("truncated-redis", TruncatedRedis(), ("redis",), 0.0),
        _case("memory-alarm", MemoryAlarm(), ("rabbitmq",), _STOP_SECONDS),
        Case("full-disk", FullDisk(), ("mariadb",), _STOP_SECONDS, padding=6000),
        _of_parts("kill", "worker", "rabbitmq"),
        _of_parts("kill", "redis", "web"),
        _of_parts("kill", "redis", "mariadb"),
        _case("clock", SteppedClock(90), ("worker",), _STOP_SECONDS),
        Case("deploy", Deploy(), (), 0.0, required=1.0, grace=0.0),
    ]


def cases() -> Mapping[str, Case]:
    """All cases by name, in the order of the table."""
    return {case.name: case for case in _all()}
