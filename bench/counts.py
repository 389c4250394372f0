"""`counts`: what the count job costs by how many chats are flagged, one in a hundred and all.

Each time the counts of these chats are spoilt and the chats flagged as the workers flag them, in
Redis; the job has to make them true again. It runs in this process, so that the work alone is
timed, and as the command, start-up included. What else is flagged is worked off before.

Needs the product's settings and models to be set up.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.database import Database
from bench.errors import BenchError
from bench.filling import filled
from bench.processes import ROOT
from bench.report import Figure, print_table, write
from bench.services import services
from infra.jobs import JobIsRunning
from ingest.post_commit import clear_pending
from messages_app.records import MESSAGES
from operations import counts as job

_SHARES: Mapping[str, float] = {"1pct": 0.01, "100pct": 1.0}
_FLAGGED_AT_ONCE = 1000
_COMMAND_SECONDS = 300

Times = dict[tuple[str, str], list[float]]


@dataclass(frozen=True)
class _Application:
    """What is counted: one application, its chats of so many messages each."""

    database: Database
    token: str
    chats: int
    messages: int


def counts(*, chats: int, messages: int, rounds: int) -> None:
    """Measure and report. Raises BenchError when a count is not true afterwards."""
    database = Database(services().database_url)
    times: Times = {(way, share): [] for way in _WAYS for share in _SHARES}
    with filled(database, chats=chats, messages=messages) as token:
        application = _Application(database, token, chats, messages)
        _in_this_process()
        for way, share in _turns(rounds):
            times[way, share].append(_timed(application, _SHARES[share], _WAYS[way]))
    _report(chats, messages, times)


def _turns(rounds: int) -> Iterator[tuple[str, str]]:
    for number in range(rounds):
        shares = list(_SHARES)[:: 1 if number % 2 else -1]
        yield from ((way, share) for way in _WAYS for share in shares)


def _timed(application: _Application, share: float, run: Callable[[], None]) -> float:
    """Seconds of one run over so many of the chats."""
    flagged = random.sample(range(1, application.chats + 1), round(share * application.chats))
    _spoil(application, flagged)
    _flag(application.token, flagged)
    if _wrong(application) != len(flagged):
        raise BenchError("the hourly count job ran meanwhile")
    before = time.perf_counter()
    run()
    seconds = time.perf_counter() - before
    if wrong := _wrong(application):
        raise BenchError(f"{wrong} of {len(flagged)} flagged counts are wrong after the job")
    return seconds


def _spoil(application: _Application, chats: Sequence[int]) -> None:
    for some in _batches(chats):
        marks = ", ".join(["%s"] * len(some))
        application.database.execute(
            "UPDATE chats SET messages_count = 0"  # noqa: S608 - nothing but marks
            f" WHERE application_token = %s AND chat_number IN ({marks})",
            application.token,
            *some,
        )


def _flag(token: str, chats: Sequence[int]) -> None:
    """As workers do for messages that they have stored."""
    for some in _batches(chats):
        parents = {MESSAGES: [(token, number) for number in some]}
        clear_pending({MESSAGES: []}, {MESSAGES: parents}, by_worker=False)


def _batches(chats: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(chats), _FLAGGED_AT_ONCE):
        yield chats[start : start + _FLAGGED_AT_ONCE]


def _wrong(application: _Application) -> int:
    return application.database.number(
        "SELECT COUNT(*) FROM chats WHERE application_token = %s AND messages_count <> %s",
        application.token,
        application.messages,
    )


def _in_this_process() -> None:
    try:
        job.reconcile()
    except JobIsRunning as error:
        raise BenchError(f"{error.detail} Try again") from None


def _as_command() -> None:
    command = [sys.executable, "manage.py", "reconcile_counts"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
    )
    if done.returncode:
        raise BenchError(f"reconcile_counts failed: {done.stderr[-300:]}")


_WAYS: Mapping[str, Callable[[], None]] = {
    "reconcile": _in_this_process,
    "reconcile_command": _as_command,
}


def _report(chats: int, messages: int, times: Times) -> None:
    middle = {key: median(values) for key, values in times.items()}
    print(f"{chats} chats of {messages} messages; seconds of the count job by chats flagged")
    print_table(
        ("", "1 %", "100 %", "1 % / 100 %"),
        [
            (
                way,
                f"{middle[way, '1pct']:.3f}",
                f"{middle[way, '100pct']:.3f}",
                f"{middle[way, '1pct'] / middle[way, '100pct']:.3f}",
            )
            for way in _WAYS
        ],
    )
    figures: dict[str, Figure] = {}
    for way in _WAYS:
        ratio = middle[way, "1pct"] / middle[way, "100pct"]
        figures[f"{way}_s_1pct"] = Figure(middle[way, "1pct"], "s", {"100pct": ratio})
        figures[f"{way}_s_100pct"] = Figure(middle[way, "100pct"], "s")
    seconds = {f"{way} {share}": values for (way, share), values in times.items()}
    write("counts", figures, {"chats": chats, "messages": messages, "seconds": seconds})
