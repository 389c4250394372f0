"""Secrets, ids and signatures of deliveries, by Standard Webhooks 1.0.

A secret is derived from SECRET_KEY and a random salt, and only the salt is stored. So a copy of the
database signs nothing, and no dump, export or page of the admin can show a secret. While a secret
is being replaced, the former one signs too, so that both verify.
"""

import secrets
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b

from django.utils.crypto import salted_hmac
from standardwebhooks import Webhook as Signer

from events.pages import Position
from webhooks.models import Webhook

#: A former secret signs for this long.
FORMER_SECRET_SIGNS_FOR = timedelta(days=1)
SECRET_PREFIX = "whsec_"  # noqa: S105 - the standard's prefix
_PURPOSE = "webhooks.secret"
_SALT_BYTES = 16


def new_salt() -> str:
    """A salt for a new secret."""
    return secrets.token_hex(_SALT_BYTES)


def secret_of(salt: str) -> str:
    """The secret of this salt, as clients get it: 32 bytes in Base64, with the usual prefix."""
    digest = salted_hmac(_PURPOSE, salt, algorithm="sha256").digest()
    return f"{SECRET_PREFIX}{b64encode(digest).decode()}"


def message_id(webhook: Webhook, end: Position | datetime) -> str:
    """The id of the delivery of the batch up to `end`, or of the test requested at that time.

    It is the same for each attempt, and another one after a replay or a change of the webhook.
    """
    about = (webhook.webhook_id, webhook.series, webhook.position, end)
    digest = blake2b("|".join(map(str, about)).encode(), digest_size=16)
    return f"msg_{digest.hexdigest()}"


def signed_headers(webhook: Webhook, message: str, body: bytes, now: datetime) -> Mapping[str, str]:
    """The headers of the standard. `now` is in UTC."""
    salts = [webhook.secret_salt]
    if webhook.former_salt and webhook.former_until and now < webhook.former_until:
        salts.append(webhook.former_salt)
    text = body.decode()
    signatures = [Signer(secret_of(salt)).sign(message, now, text) for salt in salts]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
