"""`manage.py new_epoch`: begin a new epoch, so that no block of numbers in Redis is valid."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from infra.commands import LineCommand, utf8
from infra.rabbitmq.connection import BrokerUnavailable
from infra.redis_client import RedisUnavailable, redis_is_configured
from ingest.numbering.fencing import begin_epochs_by_hand
from operations.restore import Recovery, recover

MAX_REASON_CHARACTERS = 200
#: Far more than a chat needs in a year, but small enough that a typo cannot use up the numbers.
MAX_SKIP = 10**12


class Command(LineCommand):
    help = (
        "Begin a new epoch of numbering: the blocks of numbers in Redis become invalid, and the "
        "next number of each chat lies above every number ever lent to it. Use it after Redis was "
        "replaced or its data were restored by hand, if you do not want to rely on the automatic "
        "check at its start. Numbers skip forward once and each skip is recorded; nothing is lost "
        "or repeated, and nothing has to be stopped. The next count job counts everything. "
        "Without REDIS_URL there is nothing to do. After the database was restored, run it with "
        "--restored, as described in docs/backup.md. Exit status 0: done; 1: the database is "
        "unavailable, or with --restored something is still in use; 2: wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--reason",
            type=utf8,
            default="begun by hand",
            help="stored with the epoch (at most 200 characters)",
        )
        parser.add_argument(
            "--restored",
            action="store_true",
            help="the database was restored from a backup: store the rows pending in Redis, raise "
            "the next numbers above all known ones, record the lost numbers, and forget which "
            "requests were answered; stop web servers and beat first, workers may run; can be "
            "repeated",
        )
        parser.add_argument(
            "--skip",
            type=_skip,
            default=0,
            metavar="N",
            help="with --restored: raise the next number of each chat and application by N, above "
            "numbers that were given but are recorded nowhere any more",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        reason = options["reason"][:MAX_REASON_CHARACTERS]
        if options["skip"] and not options["restored"]:
            raise CommandError("--skip needs --restored.")
        if options["restored"]:
            self._print(_recover(reason, options["skip"]))
        elif redis_is_configured():
            self._print_epoch(begin_epochs_by_hand(reason))
        else:
            self.stdout.write("Nothing to do without REDIS_URL: the database gives the numbers.")

    def _print(self, recovery: Recovery) -> None:
        self.stdout.write(f"{recovery.stored} pending rows stored")
        self.stdout.write(f"{recovery.raised} chats and applications continue at a higher number")
        self.stdout.write(f"{recovery.lost} numbers recorded as lost")
        self._print_epoch(recovery.epoch)

    def _print_epoch(self, epoch: int) -> None:
        source = "Redis" if redis_is_configured() else "the database"
        self.stdout.write(f"Epoch {epoch} has begun; {source} gives the numbers.")


def _recover(reason: str, skip: int) -> Recovery:
    try:
        with tqdm(unit=" parents", disable=None, leave=False) as bar:
            return recover(reason, skip=skip, notice=bar.update)
    except RedisUnavailable as error:
        raise CommandError(
            f"Redis is unavailable, and only Redis knows which numbers were given: {error}"
        ) from None
    except BrokerUnavailable as error:
        raise CommandError(f"RabbitMQ is unavailable, and rows may wait there: {error}") from None


def _skip(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_SKIP:
        raise ArgumentTypeError(f"must be a number from 0 to {MAX_SKIP}, not {text!r}")
    return int(text)
