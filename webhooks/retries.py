"""When a failed delivery is tried again, and when no more.

The pauses grow to two hours. They are random within a quarter, so that endpoints which failed
together do not come back together.
"""

from datetime import datetime, timedelta
from random import uniform

#: After the first failure, the second, and so on; the last pause repeats.
PAUSES_SECONDS = (5, 30, 2 * 60, 10 * 60, 3600, 2 * 3600)
#: After this time of nothing but failures the webhook is disabled.
GIVE_UP_AFTER = timedelta(days=3)
_SPREAD = 0.25


def pause_after(attempts: int, retry_after: float | None = None) -> timedelta:
    """The pause after this many failures; the endpoint may choose another one within the bounds."""
    seconds: float = PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS)) - 1]
    if retry_after is not None:
        seconds = min(max(retry_after, PAUSES_SECONDS[0]), PAUSES_SECONDS[-1])
    return timedelta(seconds=seconds * uniform(1, 1 + _SPREAD))  # noqa: S311 - no secret


def is_hopeless(failing_since: datetime, now: datetime) -> bool:
    """Whether the webhook has failed for so long that it is disabled."""
    return now - failing_since >= GIVE_UP_AFTER
