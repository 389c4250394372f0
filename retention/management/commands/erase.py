"""`manage.py erase`: erase all messages of a sender or a chat."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError

from api.views import CHAT_NUMBER
from applications.models import Application
from chats.records import CHATS
from infra.commands import LineCommand, utf8
from infra.errors import Invalid
from ingest.fields import clean_name
from ingest.read_your_writes import get
from retention.erase import ErasureScope, count_all, erase_all
from retention.resumable import resumable_work


class Command(LineCommand):
    help = (
        "Erase all messages of a sender, or of a chat, in one application: stored ones, pending "
        "ones and dead letters. Body, sender and metadata are gone for good; number and times "
        "stay, and the API shows when each message was erased. Clients may write meanwhile; "
        "messages that they send later stay. After an interruption, run the same command again to "
        "continue. Exit status 1: Redis or the database is unavailable, or some messages may be "
        "in a queue out of sight; 130 or 143: interrupted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--application", type=utf8, metavar="TOKEN", required=True, help="their application"
        )
        scope = parser.add_mutually_exclusive_group(required=True)
        scope.add_argument(
            "--sender", type=utf8, metavar="NAME", help="erase the messages of this sender"
        )
        scope.add_argument(
            "--chat", type=number, metavar="NUMBER", help="erase the messages of this chat"
        )
        parser.add_argument("--dry-run", action="store_true", help="report, and change nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        token, chat = options["application"], options["chat"]
        if not Application.objects.filter(token=token).exists():
            raise CommandError(f"No application has the token {token}.")
        if chat is not None:
            get(CHATS, (token, chat))
        scope = ErasureScope(token, sender=_sender(options["sender"]), chat_number=chat)
        with resumable_work() as show:
            result = count_all(scope) if options["dry_run"] else erase_all(scope, show)
        if options["json"]:
            self.print_json({**vars(result), "dry_run": options["dry_run"]})
            return
        verb = "would be erased" if options["dry_run"] else "erased"
        self.stdout.write(
            f"{result.stored} stored messages, {result.pending} pending ones and "
            f"{result.dead_letters} dead letters {verb}"
        )


def number(text: str) -> int:
    """Parse a chat's number. Raises ArgumentTypeError."""
    if not re.fullmatch(CHAT_NUMBER, text):
        raise ArgumentTypeError(f"{text!r} is not the number of a chat")
    return int(text)


def _sender(name: str | None) -> str | None:
    try:
        return None if name is None else clean_name(name, "The sender")
    except Invalid as invalid:
        raise CommandError(invalid.detail) from None
