"""Processes of the previous and the current release run side by side during a deploy.

`release_before/written.json` holds the bytes that the previous release writes for a few rows. The
current code reads and writes the same bytes, so each release can read the other's.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from django.db.models import Model

from chats.models import Chat
from chatsystem.celery import app
from infra import redis_client
from ingest import redis_keys
from ingest.idempotency import RequestKey
from ingest.idempotent_insert import store_rows
from ingest.message_format import payload_of, read_member, read_message, write_message
from ingest.models import Generation, IdempotencyKey
from ingest.numbering.blocks import script_digests
from ingest.records import Lease, NumberedRow, record_types
from messages_app.models import Message
from tests.live.servers import eventually
from tests.pipeline.conftest import queue
from tests.pipeline.queue import TestQueue
from tests.pipeline.worker import TestWorker
from tests.shards import ONLY

__all__ = ["queue"]

_WRITTEN = Path(__file__).parent / "release_before" / "written.json"
BEFORE: Mapping[str, Any] = json.loads(_WRITTEN.read_text())
MESSAGES: Mapping[str, Any] = BEFORE["messages"]
TASK_ID = UUID("00000000-0000-4000-8000-000000000000")
TOKEN = "0123456789abcdef01234567"  # noqa: S105
REQUEST = "11111111222233334444555566667777"
HASH = "ab" * 32

#: Today's name of each key, by what the file calls it.
KEYS: Mapping[str, Callable[[], str | bytes]] = {
    "FENCE": lambda: redis_keys.fence(ONLY),
    "EPOCH": lambda: redis_keys.epoch(ONLY),
    "PENDING_PARENTS": lambda: redis_keys.pending_parents(ONLY),
    "EVERY_PENDING": lambda: redis_keys.EVERY_PENDING,
    "EVERY_REQUEST": lambda: redis_keys.EVERY_REQUEST,
    "parent_name of an application": lambda: redis_keys.parent_name((TOKEN,)),
    "parent_name of a chat": lambda: redis_keys.parent_name((TOKEN, 3)),
    "block of an application": lambda: redis_keys.block(TOKEN),
    "block of a chat": lambda: redis_keys.block(f"{TOKEN}/3"),
    "prefix of the blocks of new chats": lambda: redis_keys.block(f"{TOKEN}/"),
    "pending chats": lambda: redis_keys.pending(TOKEN),
    "pending messages": lambda: redis_keys.pending(f"{TOKEN}/3"),
    "dirty": lambda: redis_keys.dirty(ONLY, "messages"),
    "dirty_taken": lambda: redis_keys.dirty_taken(ONLY, "messages"),
    "progress": lambda: redis_keys.progress(ONLY, "chats"),
    "attempt": lambda: redis_keys.attempt(ONLY, f"{1:032x}"),
    "request": lambda: redis_keys.request(TOKEN, REQUEST),
    "key_holder": lambda: redis_keys.key_holder(HASH),
    "revoked_key": lambda: redis_keys.revoked_key(HASH),
    "debt": lambda: redis_keys.debt("read", "client \udcff"),
}


def _rows(written: Mapping[str, Any]) -> list[NumberedRow]:
    """The rows of which a message was written, without values of fields that came since."""
    return [
        NumberedRow(
            record_types()[kind],
            tuple(key),
            accepted_us,
            acceptance,
            (*values, *[None] * (len(record_types()[kind].fields) - len(values))),
            Lease(*lease) if lease else None,
            RequestKey(*request) if request else None,
            request_id=request_id,
        )
        for kind, key, accepted_us, acceptance, values, lease, request, request_id in written[
            "rows"
        ]
    ]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_of_before_is_read(name: str) -> None:
    read = read_message(MESSAGES[name]["body"].encode())

    rows = _rows(MESSAGES[name])
    assert read == rows
    assert [row.request_id for row in read] == [row.request_id for row in rows]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_of_before_is_stored(name: str, transactional_db: None) -> None:
    rows = read_message(MESSAGES[name]["body"].encode())

    store_rows(rows)

    for row in rows:
        _assert_is_stored(row)


def _assert_is_stored(row: NumberedRow) -> None:
    model = cast("type[Model]", Chat if row.record_type.name == "chats" else Message)
    names = dict(zip(row.record_type.key_fields, row.key, strict=True))
    stored = model._default_manager.filter(**names).values(*row.columns()).get()
    assert stored == row.columns()
    if row.request:
        [key] = IdempotencyKey.objects.filter(name=UUID(row.request.name))
        assert (key.fingerprint, key.first_number) == (UUID(row.request.fingerprint), row.number)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_same_message_is_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.rabbitmq.publisher.uuid4", lambda: TASK_ID)

    headers, body = write_message(_rows(MESSAGES[name]))

    assert headers == MESSAGES[name]["headers"]
    assert body.decode() == MESSAGES[name]["body"]


@pytest.mark.parametrize("name", MESSAGES)
def test_the_same_payloads_are_written(name: str) -> None:
    payloads = [payload_of(row).decode() for row in _rows(MESSAGES[name])]

    assert payloads == MESSAGES[name]["payloads"]


def test_a_pending_row_of_before_is_read() -> None:
    written = BEFORE["members"]

    pending = read_member(tuple(written["parent"]), written["member"].encode())

    assert pending.row == _rows(MESSAGES["messages"])[0]
    assert pending.accepted_ms == written["accepted_ms"]


def test_keys_have_the_names_of_before() -> None:
    names = {what: _text(name()) for what, name in KEYS.items()}
    probe, written = _probe_key(), dict(BEFORE["keys"])

    assert written.pop("write probe") == probe
    assert names == written


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _probe_key() -> str:
    """The name by which a write to Redis is tried."""
    used: list[Sequence[str]] = []

    class Server:
        def register_script(self, _: str) -> Callable[..., None]:
            return lambda keys: used.append(keys)  # noqa: PLW0108 - called by name

    redis_client.try_redis_write(cast("Any", Server()))
    kind, name, _ = used[0][0].split(":")
    assert name.startswith("{")
    return f"{kind}:{{name}}:kind"


def test_numbers_are_given_by_the_script_of_before() -> None:
    """With another text, each release would distrust the Redis that knows the other's."""
    digest = script_digests(ONLY, Generation(epoch=3, trust=2))["blocks"]

    assert digest == BEFORE["scripts"]["blocks of epoch 3, trust 2"]


def test_workers_know_the_tasks_of_before_and_of_today() -> None:
    app.loader.import_default_modules()

    assert set(BEFORE["tasks"]) <= set(app.tasks)
    assert {
        "ingest.writer.store_queued_rows",
        "operations.tasks.reconcile_counts",
        "operations.tasks.forget_requests",
        "operations.tasks.consume_failed",
        "operations.tasks.sweep",
        "retention.tasks.purge_old",
        "events.tasks.remove_old",
    } <= set(app.tasks)


@pytest.mark.stack
def test_a_worker_stores_messages_of_before(
    queue: TestQueue, transactional_db: None, tmp_path: Path
) -> None:
    rows = [row for written in MESSAGES.values() for row in _rows(written)]
    for written in MESSAGES.values():
        queue.put_raw(written["headers"], written["body"].encode())

    with TestWorker(queue, tmp_path):
        eventually(
            lambda: Message.objects.count() + Chat.objects.count() == len(rows), 60, "all rows"
        )

    for row in rows:
        _assert_is_stored(row)
