"""The base of all commands: safe output, JSON output, and interruption by signals.

Names and reasons come from clients and files, so each write is one line, in which everything that
a terminal would obey is an escape.
"""

import json
import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from traceback import format_exception
from types import FrameType, TracebackType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import DatabaseError, InterfaceError

from infra.errors import DomainError
from infra.logs.formatting import visible


class LineStream(OutputWrapper):
    """A stream on which each write is one line."""

    def write(  # type: ignore[override] # as Django's own
        self, msg: str = "", style_func: Any = None, ending: str | None = None
    ) -> None:
        """Write one line. Text with a style, such as results of Django's checks, is not escaped."""
        super().write(msg if style_func else visible(msg), style_func, ending)


class LineCommand(BaseCommand):
    """The base of all commands of this project."""

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run the command with line streams.

        Raises CommandError for errors of the domain and of the database, which need no trace.
        """
        self.stdout = LineStream(options.pop("stdout", None) or sys.stdout)
        self.stderr = LineStream(options.pop("stderr", None) or sys.stderr)
        self.stderr.style_func = self.style.ERROR
        try:
            return super().execute(*args, **options)
        except DomainError as error:
            raise CommandError(error.detail) from None
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database failed: {error}") from None

    def print_json(self, value: object) -> None:
        """Write one line of JSON in ASCII."""
        # DEL is the only control character that JSON does not escape.
        self.stdout.write(json.dumps(value).replace("\x7f", "\\u007f"))


def utf8(argument: str) -> str:
    """The argument, if it is valid UTF-8, as a database needs it. Raises ArgumentTypeError."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError(f"{argument!a} is not UTF-8") from None
    return argument


def print_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A sys.excepthook that escapes the traceback: the error may quote any text."""
    del kind
    for line in "".join(format_exception(error.with_traceback(trace))).strip().split("\n"):
        sys.stderr.write(f"{visible(line)}\n")


SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal interrupted the command; `status` is its exit status."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.name = signal.Signals(number).name
        self.status = 128 + number


class Interruption:
    """Turns a signal into Interrupted, or holds it back."""

    def __init__(self) -> None:
        self._is_held = False
        self._pending: int | None = None

    def arrive(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: raise Interrupted. Only the first signal can be held back."""
        if self._is_held and self._pending is None:
            self._pending = number
            return
        raise Interrupted(number)

    def give_way(self) -> None:
        """Raise Interrupted if a signal is held back: this is a good place to end."""
        if self._pending is not None:
            raise Interrupted(self._pending)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold back the first signal until the end of the block, then raise Interrupted."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        self.give_way()


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turn SIGINT and SIGTERM into Interrupted within the block."""
    interruption = Interruption()
    if current_thread() is not main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.arrive) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
