"""Keys of requests that make an application, which has a token in the place of a number."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from core.errors import KeyReused
from core.idempotency.models import IdempotencyKey
from core.idempotency.records import KEPT
from core.rows import RequestKey

#: Such a request belongs to no application.
_NOBODY = ""


@dataclass(frozen=True, slots=True)
class Made:
    """The application that the first request with the key has made, and when."""

    token: str
    accepted_at: datetime


def find_application(key: RequestKey) -> Made | None:
    """What the first request with this key made, if there was one. Raises KeyReused."""
    row = _rows(key).filter(accepted_at__gt=timezone.now() - KEPT).first()
    if row is None:
        return None
    if row.fingerprint.hex != key.fingerprint:
        raise KeyReused
    return Made(row.token, row.accepted_at)


def claim_application(key: RequestKey, token: str, accepted_at: datetime) -> None:
    """Remember it, in the transaction that makes it. Raises IntegrityError if a rival has."""
    _rows(key).filter(accepted_at__lte=timezone.now() - KEPT).delete()
    IdempotencyKey.objects.create(
        application_token=_NOBODY,
        name=key.name,
        fingerprint=key.fingerprint,
        token=token,
        accepted_at=accepted_at,
    )


def _rows(key: RequestKey) -> "QuerySet[IdempotencyKey]":
    return IdempotencyKey.objects.filter(application_token=_NOBODY, name=key.name)
