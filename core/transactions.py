"""Transactions that are repeated when the database asks for it, and only then.

A deadlock says "nothing happened, try again", at once. Anything else is not repeated here: a lock
that was waited for in vain has cost its time already, and a lost connection may have committed.
"""

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from core.service_errors import is_deadlock
from core.timeouts import DATABASE_DEADLOCK_ATTEMPTS

Result = TypeVar("Result")


@retry(
    retry=retry_if_exception(is_deadlock),
    stop=stop_after_attempt(DATABASE_DEADLOCK_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    reraise=True,
)
def in_transaction(work: Callable[[], Result]) -> Result:
    """The result of `work` in a transaction of its own, tried at most ten times.

    Raises what `work` raises; OperationalError when rivals won ten times; RuntimeError inside of
    another transaction, which a deadlock would have rolled back as well.
    """
    with transaction.atomic(durable=True):
        return work()
