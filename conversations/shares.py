"""The share of each application in an import: what all its runs added to it."""

from django.db.models import F

from conversations.models import ImportShare


def add_to_share(import_id: int, token: str, name: str, *, chats: int, messages: int) -> None:
    """Add to the totals of an application, in the transaction that stores the rows.

    `name` is its name if this import has not added anything to it before.
    """
    share, _ = ImportShare.objects.get_or_create(
        of_id=import_id, application_token=token, defaults={"name": name}
    )
    ImportShare.objects.filter(pk=share.pk).update(
        messages=F("messages") + messages, chats=F("chats") + chats
    )
