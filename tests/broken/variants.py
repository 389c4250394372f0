"""Deliberately broken variants of the system: each omits one mechanism that keeps a promise.

They are plausible mistakes of an early version or a hasty change.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest
from django.db import connection
from django.db.models import Max

from infra.redis_client import Shard, server_of
from ingest import bulk_insert, idempotent_insert, writer
from ingest.commit import Committer
from ingest.numbering import blocks, leases
from ingest.numbering.errors import AuthorityChanged, NoNumbers
from ingest.queue_drain import Delivery, QueueDrain
from ingest.records import Key, Lease, NumberedRow, record_type_of_parent
from tests.shards import ONLY

Patch = pytest.MonkeyPatch
Variant = Callable[[Patch], None]


def nothing(patch: Patch) -> None:
    """Leave the system unmodified."""


def acknowledge_first(patch: Patch) -> None:
    """Let a worker acknowledge messages before it stores their rows."""
    following = QueueDrain.next

    def next_for_good(drain: QueueDrain, until: float) -> Delivery | None:
        delivery = following(drain, until)
        if delivery:
            delivery.channel.basic_ack(delivery.tag)
        return delivery

    patch.setattr(writer.store_queued_rows, "acks_late", False)
    patch.setattr(QueueDrain, "next", next_for_good)
    patch.setattr(QueueDrain, "acknowledge", lambda *_: None)


def write_nothing_pending(patch: Patch) -> None:
    """Put a numbered row in the queue alone, without a pending copy in Redis."""
    _change_script(
        patch,
        {
            "redis.call('ZADD', KEYS[i + 1], unpack(members))": "",
            "redis.call('ZADD', KEYS[3], 'NX', now, name)": "",
        },
    )


def insert_ignore(patch: Patch) -> None:
    """Treat any conflict of an insert as a duplicate of the same row."""

    def ignoring(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        return execute(sql.replace("INSERT INTO", "INSERT IGNORE INTO", 1), *rest)

    def insert(rows: Sequence[NumberedRow]) -> None:
        with connection.execute_wrapper(ignoring):
            bulk_insert.bulk_insert(rows)

    patch.setattr(idempotent_insert, "bulk_insert", insert)


def seed_from_stored_rows(patch: Patch) -> None:
    """Restart a lost counter above the highest stored number."""

    def highest(parent: Key) -> int | None:
        kind = record_type_of_parent(parent)
        if not kind.parent_row(parent).exists():
            return None
        fields = dict(zip(kind.key_fields, parent, strict=False))
        rows = kind.model._default_manager.filter(**fields)
        return int(rows.aggregate(highest=Max(kind.number_field))["highest"] or 0)

    acquire = leases.acquire_leases

    def acquire_leases(
        shard: Shard, epoch: int, wanted: Mapping[Key, leases.LeaseDemand]
    ) -> Mapping[Key, Lease]:
        for parent in wanted:
            row = record_type_of_parent(parent).parent_row(parent)
            row.update(number_ceiling=highest(parent) or 0)
        return acquire(shard, epoch, wanted)

    def highest_of(parents: Iterable[Key]) -> Mapping[Key, int]:
        found = {parent: highest(parent) for parent in parents}
        return {parent: number for parent, number in found.items() if number is not None}

    patch.setattr(leases, "ceilings_of", highest_of)
    patch.setattr(leases, "acquire_leases", acquire_leases)


def examine_nothing(patch: Patch) -> None:
    """Give the script to a server that lacks it, without checking for lost data."""

    def trust(pipeline: Committer, of: Mapping[Shard, NoNumbers]) -> Mapping[Shard, NoNumbers]:
        if ONLY in of:
            agent = pipeline._agent
            agent.blocks[ONLY].fence = 0
            known = blocks.scripts(ONLY, agent.authority(ONLY).generation)["blocks"]
            server_of(ONLY).client.script_load(known)
        return dict.fromkeys(of, AuthorityChanged())

    patch.setattr(Committer, "_verify", trust)


def use_blocks_of_older_epochs(patch: Patch) -> None:
    """Accept an existing block of any epoch."""
    _change_script(patch, {"local is_short = epoch < EPOCH": "local is_short = epoch == 0"})


def _change_script(patch: Patch, changes: Mapping[str, str]) -> None:
    """Replace parts of the numbering script's text."""
    source = blocks._SOURCES["blocks"]
    for old, new in changes.items():
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    patch.setitem(blocks._SOURCES, "blocks", source)
    forget_script()


def forget_script() -> None:
    """Clear the cached scripts: they are cached by generation, not by source."""
    blocks.scripts.cache_clear()
    blocks.script_digests.cache_clear()


VARIANTS: Mapping[str, Variant] = {
    variant.__name__: variant
    for variant in (
        nothing, acknowledge_first, write_nothing_pending, insert_ignore, seed_from_stored_rows,
        examine_nothing, use_blocks_of_older_epochs,
    )
}  # fmt: skip
