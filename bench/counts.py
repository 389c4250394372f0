"""`counts`: what the count job costs when one chat in a hundred is flagged, and when all are.

Each round spoils the counts of some chats and flags them as workers do, in Redis. The job then has
to correct them. It runs in this process, so no start-up is timed.
"""

import random
import time
from functools import partial
from statistics import median

from bench import BenchError
from bench.filling import filled
from bench.product import Database
from bench.product_code import flag_counts, reconcile_counts
from bench.report import Figure, Results, print_times
from bench.rounds import interleave
from bench.services import services

_SHARES = {"1pct": 0.01, "100pct": 1.0}
_AT_ONCE = 1000


def counts(*, chats: int, messages: int, rounds: int) -> Results:
    """Measure and report. Raises BenchError when a count is wrong after the job."""
    database = Database(services().database_url)
    with filled(database, chats=chats, messages=messages) as made:
        token = made[0].token

        def job_ms(share: float) -> float:
            return _job_ms(database, token, chats, messages, share)

        reconcile_counts()  # whatever else is flagged
        jobs = {name: partial(job_ms, share) for name, share in _SHARES.items()}
        times = interleave(jobs, rounds)
    print_times(f"{chats} chats of {messages} messages, flagged", times)
    few, every = (median(times[name]) / 1000 for name in _SHARES)
    figures = {
        "reconcile_s_1pct": Figure(few, "s", {"100pct": few / every}),
        "reconcile_s_100pct": Figure(every, "s"),
    }
    return Results(figures, {"chats": chats, "messages": messages, "milliseconds": times})


def _job_ms(database: Database, token: str, chats: int, messages: int, share: float) -> float:
    flagged = random.sample(range(1, chats + 1), round(share * chats))
    for start in range(0, len(flagged), _AT_ONCE):
        some = flagged[start : start + _AT_ONCE]
        marks = ", ".join(["%s"] * len(some))
        database.execute(
            "UPDATE chats SET messages_count = 0"  # noqa: S608 - nothing but marks
            f" WHERE application_token = %s AND chat_number IN ({marks})",
            token,
            *some,
        )
        flag_counts(token, some)
    if _wrong(database, token, messages) != len(flagged):
        raise BenchError("the hourly count job ran meanwhile")
    before = time.perf_counter()
    reconcile_counts()
    seconds = time.perf_counter() - before
    if wrong := _wrong(database, token, messages):
        raise BenchError(f"{wrong} of {len(flagged)} flagged counts are wrong after the job")
    return 1000 * seconds


def _wrong(database: Database, token: str, messages: int) -> int:
    return database.number(
        "SELECT COUNT(*) FROM chats WHERE application_token = %s AND messages_count <> %s",
        token,
        messages,
    )
