"""`manage.py new_epoch`: no number that Redis has to give counts any more."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError
from tqdm import tqdm

from infra.commands import LineCommand, utf8
from infra.errors import DomainError
from infra.rabbitmq.connection import BrokerUnavailable
from infra.redis_client import RedisUnavailable, redis_is_configured
from ingest.numbering.fencing import begin_epoch_by_hand
from operations.restore import Restored, make_good

MAX_REASON_CHARACTERS = 200
#: Far more than a chat is given in a year; a slip of the hand shall not use the numbers up.
MAX_SKIP = 10**12


class Command(LineCommand):
    """Begin a new epoch of numbering, by hand."""

    help = (
        "Begin a new epoch of numbering: blocks of numbers that Redis holds count no more, and "
        "each chat's next number lies above all that it was ever lent. For when Redis was "
        "replaced or its data put back by hand, and nobody shall rely on the examination that "
        "follows by itself. Numbers skip forward once, each skip is recorded; nothing is lost or "
        "repeated, and nothing has to be stopped. The next count job counts everything. Exit "
        "status 1 if the database is away. Without REDIS_URL there is nothing to do. "
        "After a restore of the database run it with --restored, as docs/backup.md tells."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--reason, --restored, --skip."""
        parser.add_argument(
            "--reason",
            type=utf8,
            default="begun by hand",
            help="kept with the epoch (200 characters)",
        )
        parser.add_argument(
            "--restored",
            action="store_true",
            help="the database was put back from a backup: store what still pends in Redis, raise "
            "all that may be given next above whatever is known, record what is lost, and forget "
            "which requests were answered; web servers and beat must be stopped, workers may run; "
            "may be run again",
        )
        parser.add_argument(
            "--skip",
            type=_skip,
            default=0,
            metavar="N",
            help="with --restored: let each chat and application number on N higher, for numbers "
            "that were given and that nobody knows of any more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Under the lock that everybody who takes numbers waits for."""
        reason = options["reason"][:MAX_REASON_CHARACTERS]
        if options["skip"] and not options["restored"]:
            raise CommandError("--skip needs --restored.")
        try:
            if options["restored"]:
                self._print(_make_good(reason, options["skip"]))
            elif redis_is_configured():
                self._say(begin_epoch_by_hand(reason))
            else:
                self.stdout.write(
                    "Nothing to do without REDIS_URL: the database gives the numbers."
                )
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"The database failed: {error}") from None

    def _print(self, restored: Restored) -> None:
        self.stdout.write(f"{restored.stored} rows stored that were pending")
        self.stdout.write(f"{restored.raised} chats and applications number on higher")
        self.stdout.write(f"{restored.lost} numbers recorded as lost")
        self._say(restored.epoch)

    def _say(self, epoch: int) -> None:
        who = "Redis" if redis_is_configured() else "the database"
        self.stdout.write(f"Epoch {epoch} has begun; {who} gives the numbers.")


def _make_good(reason: str, skip: int) -> Restored:
    try:
        with tqdm(unit=" parents", disable=None, leave=False) as bar:
            return make_good(reason, skip=skip, notice=bar.update)
    except RedisUnavailable as error:
        raise CommandError(f"Redis is away, and it knows what was given: {error}") from None
    except BrokerUnavailable as error:
        raise CommandError(f"RabbitMQ is away, and rows may wait there: {error}") from None
    except DomainError as error:
        raise CommandError(error.detail) from None


def _skip(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_SKIP:
        raise ArgumentTypeError(f"a number from 0 to {MAX_SKIP}, not {text!r}")
    return int(text)
