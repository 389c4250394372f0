"""Documents that Elasticsearch will not take are set aside, where operators see them."""

import logging
from uuid import NAMESPACE_OID, uuid5

from django.utils import timezone

from core.accept.dead_letters import MAX_REASON_CHARACTERS
from core.accept.models import DeadLetter
from search.index.names import name_of
from search.index.writing import Refused

logger = logging.getLogger(__name__)

KIND = "search"


def set_aside(refused: Refused) -> None:
    """Keep the key and the reason, once for each version. The row itself is in its table."""
    key, version = refused.change.key, refused.change.version
    letter = {
        "kind": KIND,
        "key": key,
        "payload": {"version": version},
        "reason": refused.reason[:MAX_REASON_CHARACTERS],
        "set_aside_at": timezone.now(),
    }
    acceptance = uuid5(NAMESPACE_OID, f"{KIND} {name_of(key)} {version}")
    _, is_new = DeadLetter.objects.get_or_create(acceptance=acceptance, defaults=letter)
    if is_new:
        logger.error("not indexed: key=%s version=%d: %s", name_of(key), version, refused.reason)
