"""RabbitMQ's own command line, for the stack's node. Raises ChaosError when a command fails."""

import subprocess
from pathlib import Path

import psutil

from chaos import stack
from chaos.errors import ChaosError, NotHere

_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmqctl"
_COMMAND_SECONDS = 60.0


class Node:
    """The node that runs now; raises NotHere where it is not of this machine."""

    def __init__(self) -> None:
        if not Path(_PROGRAM).exists():
            raise NotHere(f"there is no {_PROGRAM}")
        nodes = [psutil.Process(pid).environ() for pid in stack.pids("rabbitmq")]
        self._environment = next(each for each in nodes if "RABBITMQ_NODENAME" in each)

    def do(self, *command: str) -> None:
        """Run the command."""
        result = subprocess.run(
            [_PROGRAM, "-n", self._environment["RABBITMQ_NODENAME"], *command],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise ChaosError(f"rabbitmqctl: {result.stdout}{result.stderr}")
