"""Pending rows that cannot be read are set aside like rows that cannot be stored."""

import logging
from uuid import NAMESPACE_OID, uuid5

from django.utils import timezone

from core.accept.dead_letters import MAX_REASON_CHARACTERS
from core.accept.models import DeadLetter
from core.redis.keys import parent_key
from core.redis.overdue import remove_member
from core.redis.pending import Undecodable
from core.rows import kind_of
from core.transactions import in_transaction

logger = logging.getLogger(__name__)


def set_member_aside(parent: str, member: bytes, error: Undecodable) -> None:
    """Keep the member as a dead letter, once, and then take it out of what pends.

    Its acceptance is made from what it is. Raises NoRedis, OperationalError.
    """
    key = parent_key(parent)
    text = member.decode(errors="backslashreplace")
    letter = {
        "kind": kind_of(key).name,
        "key": key,
        "payload": text,
        "reason": f"cannot be read: {error}"[:MAX_REASON_CHARACTERS],
        "set_aside_at": timezone.now(),
    }
    acceptance = uuid5(NAMESPACE_OID, f"{parent} {text}")
    in_transaction(lambda: DeadLetter.objects.get_or_create(acceptance=acceptance, defaults=letter))
    remove_member(parent, member)
    logger.error("pending row set aside: parent=%s: %s", parent, error)
