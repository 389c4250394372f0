"""What a fault is, and those that scripts/stack and signals make."""

import signal
from collections.abc import Callable, Sequence

import psutil

from chaos import stack
from chaos.errors import ChaosError

#: Looks for processes anew each time.
Find = Callable[[], Sequence[psutil.Process]]


class Fault:
    """Called in this order; what a fault has no need of does nothing.

    `prepare` comes before the load and raises NotHere where the fault cannot be had; `tidy_up`
    comes after everything, also after a failure.
    """

    def prepare(self) -> None:
        """Make ready what the fault needs."""

    def before(self) -> None:
        """Under load already, some seconds before."""

    def inject(self) -> None:
        """Break something."""

    def heal(self) -> None:
        """Undo it."""

    def tidy_up(self) -> None:
        """Leave the machine as it was."""


class Parts(Fault):
    """One command of scripts/stack on some parts: kill, stop, pause or wipe."""

    def __init__(self, command: str, *parts: str) -> None:
        self._command = command
        self._parts = parts

    def inject(self) -> None:
        """Break them one after the other."""
        for part in self._parts:
            stack.do(self._command, part)

    def heal(self) -> None:
        """Start or resume them."""
        for part in self._parts:
            stack.mend(self._command, part)


class Signalled(Fault):
    """A signal to some processes of the application, which are supervised and not the whole part.

    `heal_by` is sent to the same ones, where they need it.
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
        """Send it."""
        self._hit = self._find()
        if not self._hit:
            raise ChaosError("there is no such process")
        for process in self._hit:
            process.send_signal(self._number)

    def heal(self) -> None:
        """Let them go on."""
        if self._heal_by:
            for process in self._hit:
                if process.is_running():
                    process.send_signal(self._heal_by)

    def tidy_up(self) -> None:
        """The same, where something failed in between."""
        self.heal()
