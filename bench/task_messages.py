"""A task message as the product publishes one, with the product's own code.

Needs the product's settings and models to be set up.
"""

from collections.abc import Sequence

from chats.models import ChatKey
from infra.rabbitmq.publisher import publisher
from ingest.message_format import write_message
from messages_app.records import MESSAGES


def publish_rows(token: str, chat_number: int, first_number: int, bodies: Sequence[str]) -> None:
    """Return when the queue has one task that stores these messages, numbered on from the first."""
    rows = [
        MESSAGES.new(ChatKey(token, chat_number), body=body).numbered(number)
        for number, body in enumerate(bodies, start=first_number)
    ]
    publisher().publish(rows[0].kind.name, *write_message(rows))
