"""Rows that are accepted and not stored yet: one sorted set for each parent, by number.

A member says its number, when it was accepted (ms, by Redis's clock) and the row's payload. Rows
are added where they are numbered (core/numbering/blocks.lua), so nothing here adds any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from core.logs import Event, get_logger
from core.redis import keys
from core.redis.guard import NoRedis, ask
from core.rows import Key, NumberedRow, from_payload, kind_of

logger = get_logger(__name__)


class Undecodable(ValueError):
    """A member that this version cannot read."""


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row, and when it was accepted: ms since 1970 by Redis's clock."""

    row: NumberedRow
    accepted_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What was asked for, and whether nothing at all pends for this parent."""

    rows: Sequence[NumberedRow]
    nothing_pends: bool


def find_pending(key: Key) -> NumberedRow | None:
    """The row, if it is pending as far as can be seen; `key` ends in its number."""
    *parent, number = key
    name = keys.pending(keys.parent_name(parent))
    try:
        members = ask(lambda server: server.zrangebyscore(name, number, number))
    except NoRedis:
        return None
    return next(iter(_readable(tuple(parent), members)), None)


def see_pending(
    parent: Key, *, after: int | None, before: int | None, limit: int, descending: bool
) -> Seen:
    """The first `limit` pending rows between these numbers, both exclusive; one round trip.

    Nothing, while Redis is away.
    """
    name = keys.pending(keys.parent_name(parent))
    low = "-inf" if after is None else f"({after}"
    high = "+inf" if before is None else f"({before}"

    def see(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        if descending:
            pipeline.zrevrangebyscore(name, high, low, start=0, num=limit)
        else:
            pipeline.zrangebyscore(name, low, high, start=0, num=limit)
        return pipeline.zcard(name).execute()

    try:
        members, count = ask(see)
    except NoRedis:
        return Seen([], nothing_pends=True)
    return Seen(_readable(parent, members), nothing_pends=count == 0)


def read_member(parent: Key, member: bytes) -> PendingRow:
    """The row of a member. Raises Undecodable."""
    try:
        number, accepted_ms, payload = member.split(b" ", 2)
        row = from_payload(kind_of(parent), (*parent, int(number)), orjson.loads(payload))
        # A payload may be JSON and still be no row.
        row.columns()
        return PendingRow(row, int(accepted_ms))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def _readable(parent: Key, members: Sequence[bytes]) -> list[NumberedRow]:
    rows = []
    for member in members:
        try:
            rows.append(read_member(parent, member).row)
        except Undecodable as error:
            # The sweeper sets it aside.
            logger.warning(Event.PENDING_UNREADABLE, parent=parent, error=error)
    return rows
