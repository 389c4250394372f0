"""The interface of a fault, and faults made by scripts/stack or by signals."""

import signal
from collections.abc import Callable, Sequence

import psutil

from chaos import stack
from chaos.errors import ChaosError

#: Returns the processes that run now.
Find = Callable[[], Sequence[psutil.Process]]


class Fault:
    """Steps of a fault, called in this order. Each does nothing by default.

    `prepare` runs before the load and raises NotHere if this machine cannot inject the fault.
    `tidy_up` runs last, also after a failure.
    """

    def prepare(self) -> None:
        """Prepare the fault."""

    def before(self) -> None:
        """Run under load, some seconds before `inject`."""

    def inject(self) -> None:
        """Break something."""

    def heal(self) -> None:
        """Undo the fault."""

    def tidy_up(self) -> None:
        """Restore the machine."""


class Parts(Fault):
    """Runs one command of scripts/stack on some parts: kill, stop, pause or wipe."""

    def __init__(self, command: str, *parts: str) -> None:
        self._command = command
        self._parts = parts

    def inject(self) -> None:
        """Break the parts one after the other."""
        for part in self._parts:
            stack.do(self._command, part)

    def heal(self) -> None:
        """Start or resume the parts."""
        for part in self._parts:
            stack.mend(self._command, part)


class Signalled(Fault):
    """Sends a signal to some supervised processes of the application.

    `heal_by`, if given, is sent to the same processes to heal them.
    """

    def __init__(
        self,
        find: Find,
        number: signal.Signals,
        heal_by: signal.Signals | None = None,
    ) -> None:
        self._find = find
        self._number = number
        self._heal_by = heal_by
        self._hit: Sequence[psutil.Process] = ()

    def inject(self) -> None:
        """Send the signal. Raises ChaosError if there is no process."""
        self._hit = self._find()
        if not self._hit:
            raise ChaosError("there is no such process")
        for process in self._hit:
            process.send_signal(self._number)

    def heal(self) -> None:
        """Send `heal_by` to the processes that still run."""
        if self._heal_by:
            for process in self._hit:
                if process.is_running():
                    process.send_signal(self._heal_by)

    def tidy_up(self) -> None:
        """Heal again, in case something failed before `heal`."""
        self.heal()
