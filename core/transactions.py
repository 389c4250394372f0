"""Transactions that are repeated when the database asks for it, and only then.

A deadlock or a lock wait that took too long says "nothing happened, try again". Anything else, a
lost connection above all, may have happened and is not repeated here.
"""

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, transaction
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

Result = TypeVar("Result")

# MySQL: lock wait timeout, deadlock. SQLite waits by itself (the setting `timeout`), so its
# "database is locked", which has no number, is final.
_WORTH_REPEATING = {1205, 1213}


def lost_to_a_rival(error: BaseException) -> bool:
    """Whether nothing happened because another transaction was in the way."""
    return isinstance(error, OperationalError) and error.args[:1] in {
        (code,) for code in _WORTH_REPEATING
    }


@retry(
    retry=retry_if_exception(lost_to_a_rival),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(multiplier=0.02, max=1),
    reraise=True,
)
def in_transaction(work: Callable[[], Result]) -> Result:
    """The result of `work` in a transaction of its own, tried at most five times.

    Raises what `work` raises; OperationalError when rivals won five times; RuntimeError inside of
    another transaction, which a deadlock would have rolled back as well.
    """
    with transaction.atomic(durable=True):
        return work()
