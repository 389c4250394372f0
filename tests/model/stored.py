"""Reads the tables directly, bypassing the API."""

from collections.abc import Callable

from django.apps import apps
from django.db import transaction

from chats.models import Chat
from ingest.models import NumberSkip
from messages_app.models import Message
from tests.model.promises import CHATS, Item

OURS = (
    "infra",
    "ingest",
    "operations",
    "applications",
    "chats",
    "messages_app",
    "conversations",
    "search",
)


def delete_all() -> None:
    """Empty all tables of the project."""
    with transaction.atomic():
        for label in OURS:
            for model in apps.get_app_config(label).get_models():
                model._default_manager.all()._raw_delete("default")


def is_stored() -> Callable[[Item], bool]:
    """Whether an item's current text is in its table."""
    chats = Chat.objects.values_list("application_token", "chat_number")
    messages = Message.objects.values_list("application_token", "chat_number", "message_number")
    paths = {f"/applications/{token}/chats/{chat}" for token, chat in chats}
    paths |= {f"/applications/{t}/chats/{c}/messages/{n}" for t, c, n in messages}
    return lambda item: item.parent is None or item.path in paths


def texts_of(parent: Item) -> dict[int, str]:
    """The texts of its stored children, by number."""
    _, _, token, *rest = parent.path.split("/")
    if parent.sort is CHATS:
        chats = Chat.objects.filter(application_token=token)
        return dict(chats.values_list("chat_number", "name"))
    messages = Message.objects.filter(application_token=token, chat_number=rest[-1])
    return dict(messages.values_list("message_number", "body"))


def resumed_at(parent: Item) -> set[int]:
    """The numbers right below which some were skipped, as recorded."""
    _, _, token, *rest = parent.path.split("/")
    skips = NumberSkip.objects.filter(
        application_token=token, chat_number=rest[-1] if rest else None
    )
    return set(skips.values_list("resumed_at", flat=True))
