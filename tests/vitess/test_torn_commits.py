"""A commit that reaches only one of two shards is repeated right."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from django.core.management import call_command
from django.db import Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from applications.services import create_application
from chaos.vitess.mysql import kill_transactions
from chats.models import Chat
from ingest.database_numbers import number_and_store
from ingest.idempotency import IdempotentRequest, RequestKey
from ingest.idempotent_insert import store_rows
from ingest.records import NumberedRow
from ingest.submission import Submission
from messages_app.models import Message
from tests.audit.results import audit, found_nothing
from tests.rows import new_chat, new_message
from tests.vitess.shards import SHARDS, tokens_of_shards

pytestmark = [pytest.mark.vitess, pytest.mark.django_db(transaction=True)]

_APPLICATIONS = 12


@pytest.fixture
def tokens() -> Sequence[str]:
    """Applications on both shards, each with a chat."""
    made = [create_application(name="x").token for _ in range(_APPLICATIONS)]
    number_and_store([Submission([new_chat(token, "x")]) for token in made])
    assert all(tokens_of_shards().values())
    return made


def torn_by(shard: str, work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Do the work whose commit this shard never gets; the messages that are stored nonetheless."""
    commit = BaseDatabaseWrapper.commit

    def cut(self: BaseDatabaseWrapper) -> None:
        assert kill_transactions(SHARDS[shard])
        commit(self)

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "commit", cut)
        with pytest.raises(Error):
            work()
    connection.close()
    return Message.objects.count()


def assert_all_is_well() -> None:
    """The audit finds nothing, once all is counted."""
    call_command("reconcile_counts", "--all", "--json", stdout=None)
    assert found_nothing(audit())


def test_a_batch_of_workers(tokens: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Chat.objects.update(number_ceiling=len(SHARDS))  # as if Redis had given the numbers
    stored = []
    for number, shard in enumerate(SHARDS, start=1):
        rows = [new_message(token, 1, "x").numbered(number) for token in tokens]
        before = Message.objects.count()
        stored.append(torn_by(shard, partial(store_rows, rows), monkeypatch) - before)

        store_rows(rows)

        assert Message.objects.count() - before == len(tokens)
    assert any(stored), "no commit reached only one shard"
    assert all(count < len(tokens) for count in stored)
    assert_all_is_well()


def test_requests_with_keys_that_the_database_numbers(
    tokens: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(place: int) -> Sequence[Sequence[NumberedRow] | Exception]:
        keys = [RequestKey(f"{place:02}{number:030x}", "b" * 32) for number in range(len(tokens))]
        return number_and_store(
            [
                Submission([new_message(token, 1, "x")], IdempotentRequest(key))
                for token, key in zip(tokens, keys, strict=True)
            ]
        )

    stored = []
    for number, shard in enumerate(SHARDS, start=1):
        before = Message.objects.count()
        stored.append(torn_by(shard, partial(ask, number), monkeypatch) - before)

        answers = ask(number)

        assert [rows[0].number for rows in answers if not isinstance(rows, Exception)] == [
            number
        ] * len(tokens)
        assert Message.objects.count() - before == len(tokens)
    assert any(stored), "no commit reached only one shard"
    assert_all_is_well()
