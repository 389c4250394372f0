"""RabbitMQ's command line for the stack's node."""

import shutil
import subprocess

import psutil

from chaos import stack
from chaos.errors import ChaosError, NotHere

#: It starts a virtual machine of its own, on a machine that may be busy.
_COMMAND_SECONDS = 180.0


class Node:
    """The running node. Raises NotHere if rabbitmqctl is not installed beside it."""

    def __init__(self) -> None:
        nodes = [psutil.Process(pid).environ() for pid in stack.pids("rabbitmq")]
        self._environment = next(each for each in nodes if "RABBITMQ_NODENAME" in each)
        program = shutil.which("rabbitmqctl", path=self._environment["PATH"])
        if program is None:
            raise NotHere("there is no rabbitmqctl beside the running rabbitmq-server")
        self._program = program

    def do(self, *command: str) -> None:
        """Run the command. Raises ChaosError if it fails."""
        result = subprocess.run(
            [self._program, "-n", self._environment["RABBITMQ_NODENAME"], *command],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise ChaosError(f"rabbitmqctl: {result.stdout}{result.stderr}")
