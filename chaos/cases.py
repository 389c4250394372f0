"""The matrix: every case by its name, what it breaks and for how long, and what must still work."""

from collections.abc import Mapping
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from chaos.clock import SteppedClock
from chaos.deploy import Deploy
from chaos.disk import FullDisk
from chaos.fault import Fault, Parts, Signalled
from chaos.processes import one_web_process, worker_children, worker_parents
from chaos.services import MemoryAlarm, OlderRedis, TruncatedRedis

_KILL_SECONDS, _PAUSE_SECONDS, _STOP_SECONDS = 5.0, 10.0, 15.0
#: What it is kept down for, by the command that broke it; a wiped service is back at once.
_LASTING = {"kill": _KILL_SECONDS, "pause": _PAUSE_SECONDS, "stop": _STOP_SECONDS, "wipe": 0.0}
#: While one of these is away, so many of the requests must succeed.
_DISPENSABLE = frozenset({"redis", "rabbitmq", "elasticsearch", "worker", "beat"})
_AVAILABLE = 0.99


@dataclass(frozen=True)
class Case:
    """One row of the table. `down`: the parts that are away or have lost something.

    `required`: the share of creates, of reads and of edits that must succeed, from `grace` seconds
    after the fault on. `padding`: so many characters more in each body.
    """

    name: str
    fault: Fault
    down: tuple[str, ...]
    lasting: float
    required: float | None = None
    grace: float = 2.0
    padding: int = 0


def _of_parts(command: str, *parts: str) -> Case:
    return _case(f"{command}-{'+'.join(parts)}", Parts(command, *parts), parts, _LASTING[command])


def _case(name: str, fault: Fault, down: tuple[str, ...], lasting: float) -> Case:
    required = _AVAILABLE if len(down) == 1 and down[0] in _DISPENSABLE else None
    return Case(name, fault, down, lasting, required)


def _all() -> list[Case]:
    # Redis's come last: for a day after one of them a key that Redis does not know is looked for in
    # the table, so that creates with keys need the database.
    parts = ("web", "worker", "beat", "mariadb", "elasticsearch", "rabbitmq", "redis")
    return [
        *(_of_parts(command, part) for part in parts for command in ("kill", "pause", "stop")),
        # One process; supervision starts another at once, so a stop lasts no longer than that.
        _case("kill-one-web", Signalled(one_web_process, SIGKILL), ("web",), _KILL_SECONDS),
        _case(
            "pause-one-web", Signalled(one_web_process, SIGSTOP, SIGCONT), ("web",), _PAUSE_SECONDS
        ),
        _case("stop-one-web", Signalled(one_web_process, SIGTERM), ("web",), _STOP_SECONDS),
        *(
            case
            for place, find in (("parents", worker_parents), ("children", worker_children))
            for case in (
                _case(f"kill-worker-{place}", Signalled(find, SIGKILL), ("worker",), _KILL_SECONDS),
                _case(
                    f"pause-worker-{place}",
                    Signalled(find, SIGSTOP, SIGCONT),
                    ("worker",),
                    _PAUSE_SECONDS,
                ),
                _case(f"stop-worker-{place}", Signalled(find, SIGTERM), ("worker",), _STOP_SECONDS),
            )
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
    """All of them, in the order of the table."""
    return {case.name: case for case in _all()}
