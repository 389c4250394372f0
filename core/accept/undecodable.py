"""Pending rows that cannot be read are set aside like rows that cannot be stored."""

from uuid import NAMESPACE_OID, uuid5

from core.accept.dead_letters import Letter, keep
from core.redis.keys import parent_key
from core.redis.overdue import remove_member
from core.redis.pending import Undecodable
from core.rows import kind_of


def set_member_aside(parent: str, member: bytes, error: Undecodable) -> None:
    """Keep the member as a dead letter, once, and then take it out of what pends.

    Its acceptance is made from what it is. Raises NoRedis, OperationalError.
    """
    key = parent_key(parent)
    kind = kind_of(key).name
    text = member.decode(errors="backslashreplace")
    number, _, _ = text.partition(" ")
    place = (key, int(number) if number.isdecimal() else None)
    letter = Letter(kind=kind, queue=kind, key=key, payload=text, place=place)
    keep(uuid5(NAMESPACE_OID, f"{parent} {text}"), letter, f"cannot be read: {error}")
    remove_member(parent, member)
