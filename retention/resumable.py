"""What the commands of this package share: progress, safe interruption, and clear errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError
from tqdm import tqdm

from infra.commands import Interrupted, interruptible
from infra.redis_client import RedisUnavailable


@contextmanager
def resumable_work() -> Iterator[Callable[[int], object]]:
    """Show progress and turn errors into CommandError; the same command continues the work.

    The work calls the function with the number of messages since its last call, between two
    transactions, where it can end safely.
    """
    with interruptible() as interruption, tqdm(unit=" messages", disable=None, leave=False) as bar:

        def show(messages: int) -> None:
            interruption.give_way()
            bar.update(messages)

        try:
            with interruption.held():
                yield show
        except RedisUnavailable as error:
            raise CommandError(
                f"Redis is unavailable, so it is unknown which messages are pending: {error}"
            ) from None
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(
                f"The database failed: {error}. Run the same command again to continue."
            ) from None
        except Interrupted as interrupted:
            raise CommandError(
                f"Interrupted by {interrupted.name} after {bar.n} messages. "
                "Run the same command again to continue.",
                returncode=interrupted.status,
            ) from None
