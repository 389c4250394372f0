"""The table `applications`."""

import secrets
from typing import NamedTuple

from django.db import models

from infra.errors import NotFound
from ingest.fields import MAX_NAME_CHARACTERS
from ingest.models import Parent

TOKEN_BYTES = 12
KEY_HASH_CHARACTERS = 64


def new_token() -> str:
    """96 random bits as 24 hexadecimal digits: nothing that a case-blind collation could mix up."""
    return secrets.token_hex(TOKEN_BYTES)


class ApplicationKey(NamedTuple):
    """The natural key of an application."""

    token: str


class Application(Parent):
    """A client system; numbers and counts its chats.

    `key_hash`: see applications.authentication; null if it has no key yet. `last_event` is the
    number of its newest event (see events.log); 0 before the first.
    """

    shard_key = "token"

    token = models.CharField(max_length=2 * TOKEN_BYTES, default=new_token, unique=True)
    key_hash = models.CharField(max_length=KEY_HASH_CHARACTERS, unique=True, null=True, blank=True)
    chats_count = models.PositiveBigIntegerField(default=0)
    last_event = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "applications"

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> ApplicationKey:
        """Its natural key, which its chats carry too."""
        return ApplicationKey(self.token)


class ApplicationNotFound(NotFound):
    """No application has this token."""

    detail = "There is no such application."


class OperatorKey(models.Model):
    """A key that opens every application; the name tells operator keys apart."""

    name = models.CharField(max_length=MAX_NAME_CHARACTERS, unique=True)
    key_hash = models.CharField(max_length=KEY_HASH_CHARACTERS, unique=True)

    class Meta:
        db_table = "operator_keys"

    def __str__(self) -> str:
        return self.name
