"""Keys of requests that make an application, which has a token in the place of a number."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from ingest.idempotency import KeyReused, RequestKey
from ingest.idempotency.records import KEPT_FOR
from ingest.models import IdempotencyKey

#: Such a request belongs to no application.
_NO_APPLICATION = ""


@dataclass(frozen=True, slots=True)
class CreatedApplication:
    """The application that the first request with the key has made, and when."""

    token: str
    accepted_at: datetime


def find_application(key: RequestKey) -> CreatedApplication | None:
    """What the first request with this key made, if there was one. Raises KeyReused."""
    row = _rows(key).filter(accepted_at__gt=timezone.now() - KEPT_FOR).first()
    if row is None:
        return None
    if row.fingerprint.hex != key.fingerprint:
        raise KeyReused
    return CreatedApplication(row.token, row.accepted_at)


def claim_application(key: RequestKey, token: str, accepted_at: datetime) -> None:
    """Remember it, in the transaction that makes it. Raises IntegrityError if a rival has."""
    _rows(key).filter(accepted_at__lte=timezone.now() - KEPT_FOR).delete()
    IdempotencyKey.objects.create(
        application_token=_NO_APPLICATION,
        name=key.name,
        fingerprint=key.fingerprint,
        token=token,
        accepted_at=accepted_at,
    )


def _rows(key: RequestKey) -> "QuerySet[IdempotencyKey]":
    return IdempotencyKey.objects.filter(application_token=_NO_APPLICATION, name=key.name)
