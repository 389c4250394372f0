"""Runs manage.py commands in this process."""

from io import StringIO

import pytest
from django.core.management import get_commands, load_command_class


def run_as_manage_py(*arguments: str) -> tuple[int | str | None, str, str]:
    """The exit status of a command, and its standard output and error."""
    stdout, stderr = StringIO(newline=""), StringIO(newline="")
    command = load_command_class(get_commands()[arguments[0]], arguments[0])
    status: int | str | None = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stdout)
        patch.setattr("sys.stderr", stderr)
        patch.setattr("django.db.connections.close_all", lambda: None)  # it is the test's
        try:
            command.run_from_argv(["manage.py", *arguments])
        except SystemExit as end:
            status = end.code
    return status, stdout.getvalue(), stderr.getvalue()
