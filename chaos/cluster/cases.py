"""The cases of a cluster: each node of each engine, and what only clusters have."""

from collections.abc import Mapping

from chaos.cases import Case
from chaos.cluster.faults import (
    CutOff,
    MovedMaster,
    MovedSlots,
    MovedWriter,
    RollingRestart,
    UnreplicatedWrites,
)
from chaos.cluster.nodes import nodes
from chaos.fault import Fault, Parts

_ENGINES = ("mariadb", "redis", "rabbitmq", "elasticsearch")
#: Seconds that a fault lasts: long enough for another node to take over, and to go on for a while.
_LASTING = 15.0
_PLANNED_LASTING = 3.0
#: The share of requests that must succeed while one node is gone, from so many seconds on.
_AVAILABLE, _GRACE = 0.999, 5.0
#: One node of each engine, with the web host whose clients are on its side.
_MINORITY = ("web-1", *(f"{engine}-1" for engine in _ENGINES))


def cases() -> Mapping[str, Case]:
    """All cases by name, in the order of the table."""
    found = [
        *(_of_node(command, node) for node in _nodes() for command in ("kill", "pause", "cut")),
        Case("cut-minority", CutOff(*_MINORITY), _MINORITY, _LASTING, inside="web-1"),
        _planned("move-writer", MovedWriter(), "mariadb"),
        _planned("move-master", MovedMaster(), "redis"),
        _planned("move-slots", MovedSlots(), "redis"),
        Case("unreplicated-writes", UnreplicatedWrites(), ("redis-1",), _LASTING),
        *(_planned(f"restart-{engine}", RollingRestart(engine), engine) for engine in _ENGINES),
    ]
    return {case.name: case for case in found}


def _nodes() -> list[str]:
    return [node for kind in (*_ENGINES, "web", "worker") for node in nodes(kind)]


def _of_node(command: str, node: str) -> Case:
    fault: Fault = CutOff(node) if command == "cut" else Parts(command, node)
    return Case(f"{command}-{node}", fault, (node,), _LASTING, _AVAILABLE, _GRACE)


def _planned(name: str, fault: Fault, engine: str) -> Case:
    """What an operator does on purpose: no request may fail."""
    return Case(name, fault, (engine,), _PLANNED_LASTING, required=1.0, grace=0.0)
