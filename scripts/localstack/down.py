"""`down` and `reset`: the stack is gone from the table of processes, or from the disk as well."""

import shutil
from contextlib import suppress

from localstack.layout import SHARED_STATE, Layout
from localstack.supervisor import Supervisor


def down(layout: Layout) -> None:
    """Stop everything, keep the data."""
    Supervisor(layout).shut_down()


def reset(layout: Layout) -> None:
    """Stop everything, and remove the state folder."""
    down(layout)
    shutil.rmtree(layout.state)
    if layout.state.parent == SHARED_STATE:
        with suppress(OSError):
            SHARED_STATE.rmdir()
