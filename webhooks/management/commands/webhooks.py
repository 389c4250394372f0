"""`manage.py webhooks`: list endpoints and their positions, replay events, disable an endpoint."""

from argparse import ArgumentParser
from typing import Any

from infra.commands import LineCommand, utf8
from webhooks import services
from webhooks.models import Webhook, WebhookNotFound
from webhooks.rules import clean_after
from webhooks.views import webhook_json

DEFAULT_LIMIT = 100


class Command(LineCommand):
    help = (
        "Show where the events of applications are sent and how far that has got; send events "
        "again; send nothing more to an endpoint. Needs only the database; workers do the rest. "
        "Exit status 0: done; 1: there is no such webhook or event, or the database is unavailable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="subcommand", required=True)
        about = "List webhooks in the order in which they were made."
        listing = commands.add_parser("list", help=about, description=about)
        listing.add_argument("--application", type=utf8, metavar="TOKEN", help="only of this one")
        listing.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help="at most this many")
        listing.add_argument("--after", type=utf8, metavar="ID", help="only those made after it")
        about = "Send all events after this one again, or for the first time."
        replay = commands.add_parser("replay", help=about, description=about)
        replay.add_argument("id", type=utf8, metavar="ID", help="of the webhook")
        replay.add_argument("--after", required=True, type=utf8, metavar="EVENT", help="0 for all")
        about = "Send nothing more, until the application switches the webhook on again."
        disable = commands.add_parser("disable", help=about, description=about)
        disable.add_argument("id", type=utf8, metavar="ID")
        for command in (listing, replay, disable):
            command.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        if subcommand == "list":
            self._list(options)
            return
        webhook = _find(options["id"])
        token, webhook_id = webhook.application_token, webhook.webhook_id
        if subcommand == "replay":
            after = clean_after({"after": options["after"]}, is_required=True)
            assert after is not None  # noqa: S101 - it is required
            services.replay(token=token, webhook_id=webhook_id, after=after)
        else:
            services.disable_webhook(token=token, webhook_id=webhook_id)
        self._show(
            services.get_webhook(token=token, webhook_id=webhook_id), as_json=options["json"]
        )

    def _list(self, options: dict[str, Any]) -> None:
        rows = Webhook.objects.order_by("pk")
        if options["application"] is not None:
            rows = rows.filter(application_token=options["application"])
        if options["after"] is not None:
            rows = rows.filter(pk__gt=_find(options["after"]).pk)
        shown = list(rows[: max(options["limit"], 0)])
        if options["json"]:
            self.print_json({"count": rows.count(), "webhooks": list(map(webhook_json, shown))})
            return
        for webhook in shown:
            self._show(webhook, as_json=False)
        self.stdout.write(f"{rows.count()} webhooks")

    def _show(self, webhook: Webhook, *, as_json: bool) -> None:
        if as_json:
            self.print_json(webhook_json(webhook))
            return
        state = webhook.state if webhook.is_active or webhook.state == "disabled" else "off"
        self.stdout.write(
            f"{webhook.webhook_id}  {webhook.application_token}  {state:8}  "
            f"at {webhook.position}  {webhook.url}"
        )


def _find(webhook_id: str) -> Webhook:
    """Raises WebhookNotFound."""
    webhook = Webhook.objects.filter(webhook_id=webhook_id).first()
    if webhook is None:
        raise WebhookNotFound
    return webhook
