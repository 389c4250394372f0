"""The cases of a sharded database: each MySQL, tablets, vtgate, and torn commits."""

from collections.abc import Mapping

from chaos.cases import Case
from chaos.cluster.nodes import nodes
from chaos.fault import Fault, Parts
from chaos.vitess.faults import ReadOnly, TornCommits

#: Seconds that a fault lasts.
_LASTING = 10.0


def cases() -> Mapping[str, Case]:
    """All cases by name, in the order of the table."""
    databases = nodes("mysqld")
    found = [
        *(_of_part(command, node) for node in databases for command in ("kill", "pause")),
        *(_case(f"read-only-{node}", ReadOnly(node), node) for node in databases),
        *(_case(f"torn-commits-{node}", TornCommits(node), node) for node in databases[1:]),
        *(_of_part(command, "vttablet-2") for command in ("kill", "pause")),
        *(_of_part(command, "vtgate") for command in ("kill", "pause", "stop")),
        *(_of_part(command, "etcd") for command in ("kill", "pause")),
        *(_of_part("kill", engine) for engine in ("redis", "rabbitmq", "elasticsearch")),
    ]
    return {case.name: case for case in found}


def _of_part(command: str, part: str) -> Case:
    return _case(f"{command}-{part}", Parts(command, part), part)


def _case(name: str, fault: Fault, part: str) -> Case:
    return Case(name, fault, (part,), _LASTING)
