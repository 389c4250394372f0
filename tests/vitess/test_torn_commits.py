"""A commit that reaches only one of two shards is repeated right."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle

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
from ingest.submission import Submission
from messages_app.models import Message
from tests.audit.results import audit, found_nothing
from tests.rows import new_chat, new_message
from tests.vitess.shards import SHARDS, tokens_of_shards

pytestmark = [pytest.mark.vitess, pytest.mark.django_db(transaction=True)]

_APPLICATIONS = 12
_ROUNDS = 16


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


def until_torn(
    attempt: Callable[[int], object], tokens: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tear commits of a message for each application until one reached one shard only.

    Which shard commits first is chance. Each attempt is repeated, and then all is stored once.
    """
    for number, shard in zip(range(1, _ROUNDS + 1), cycle(SHARDS)):
        before = Message.objects.count()
        stored = torn_by(shard, partial(attempt, number), monkeypatch) - before

        attempt(number)

        assert Message.objects.count() - before == len(tokens)
        if stored:
            assert stored < len(tokens)
            break
    else:
        pytest.fail("no commit reached only one shard")
    call_command("reconcile_counts", "--all", "--json", stdout=None)
    assert found_nothing(audit())


def test_a_batch_of_workers(tokens: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {
        number: [new_message(token, 1, "x").numbered(number) for token in tokens]
        for number in range(1, _ROUNDS + 1)
    }

    def store(number: int) -> None:
        Chat.objects.update(number_ceiling=number)  # as if Redis had given the number
        store_rows(rows[number])

    until_torn(store, tokens, monkeypatch)


def test_requests_with_keys_that_the_database_numbers(
    tokens: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(number: int) -> None:
        keys = [RequestKey(f"{number:02}{place:030x}", "b" * 32) for place in range(len(tokens))]
        answers = number_and_store(
            [
                Submission([new_message(token, 1, "x")], IdempotentRequest(key))
                for token, key in zip(tokens, keys, strict=True)
            ]
        )
        given = [rows[0].number for rows in answers if not isinstance(rows, Exception)]
        assert given == [number] * len(tokens)

    until_torn(ask, tokens, monkeypatch)
