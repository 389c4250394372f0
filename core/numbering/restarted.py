"""A Redis that was restarted or emptied is examined also while nobody writes.

Until that is done nobody knows what it has lost, so a row that was never there is answered like one
that may still be queued.
"""

from uuid import uuid4

from core.numbering.authority import read_authority
from core.numbering.blocks import Blocks, RedisAway
from core.numbering.examination import examine, sign_off
from core.numbering.models import NumberAuthority, Source
from core.numbering.trusted import is_trusted
from core.redis.guard import NoRedis


def examine_if_restarted() -> NumberAuthority:
    """Who gives numbers, once it is known. Raises NoRedis, OperationalError."""
    authority = read_authority()
    if authority.source != Source.REDIS or is_trusted(authority.term):
        return authority
    process, blocks = uuid4(), Blocks()
    try:
        examine(blocks, process, authority.term)
    except RedisAway as error:
        raise NoRedis(str(error)) from error
    finally:
        sign_off(process, blocks)
    return read_authority()
