"""The table `applications`."""

import secrets

from django.db import models

from core.models import Parent

TOKEN_BYTES = 12


def new_token() -> str:
    """96 random bits as 24 hexadecimal digits: nothing that a case-blind collation could mix up."""
    return secrets.token_hex(TOKEN_BYTES)


class Application(Parent):
    """A client system; numbers and counts its chats."""

    token = models.CharField(max_length=2 * TOKEN_BYTES, default=new_token, unique=True)
    chats_count = models.PositiveBigIntegerField(default=0)

    class Meta:
        db_table = "applications"

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> tuple[str | int, ...]:
        """Its token."""
        return (self.token,)
