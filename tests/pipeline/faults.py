"""Faults inside a test's worker: importing this module installs the one that `FAULT` names.

The fault creates `FAULT_FILE` when it occurs; one-time faults check whether the file exists.
"""

import os
import signal
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from ingest import bulk_insert, idempotent_insert, post_commit, writer
from ingest.records import NumberedRow

KILLER = "this row kills"

_fault = os.environ["FAULT"]
_happened = Path(os.environ["FAULT_FILE"])
_batches = count()
#: The second batch, of at least three: rows are stored, rows are held, and rows wait.
_LATER = 1


def _finish_or_fail(rows: Sequence[NumberedRow]) -> None:
    """What comes between the commit and the acknowledgement."""
    if _fault in {"die", "die with the parent"}:
        _die_once()
    if _fault == "die later" and next(_batches) == _LATER:
        _die_once()
    if _fault == "a bug":
        raise LookupError("a bug")
    post_commit.finish_queued(rows)


def _die_once() -> None:
    if _happened.exists():
        return
    _happened.touch()
    if _fault == "die with the parent":
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _insert_or_fail(rows: Sequence[NumberedRow]) -> None:
    if _fault == "die before the insert":
        _die_once()
    if any(KILLER in row.values for row in rows):
        os.kill(os.getpid(), signal.SIGKILL)
    bulk_insert.bulk_insert(rows)


_patch = pytest.MonkeyPatch()
_patch.setattr(writer, "finish_queued", _finish_or_fail)
_patch.setattr(idempotent_insert, "bulk_insert", _insert_or_fail)
