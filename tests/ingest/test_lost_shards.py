"""A group with rows on a shard that fails: the requests for other shards get what they want."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection

from applications.services import create_application
from infra import database
from infra.event_loop import spawn
from ingest import read_your_writes
from ingest.database_numbers import number_and_store
from ingest.edits import Edit, edit_together
from ingest.read_your_writes import Question, Window
from ingest.submission import Submission
from messages_app.models import Message
from messages_app.records import MESSAGES
from tests.rows import new_chat, new_message

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

LOST = OperationalError(1105, "target: x_sharded.-80.primary: primary is not serving")


@pytest.fixture
def tokens() -> Sequence[str]:
    """Two applications, each with a chat and a message."""
    made = [create_application(name="x").token for _ in range(2)]
    number_and_store([Submission([new_chat(token, "x")]) for token in made])
    number_and_store([Submission([new_message(token, 1, "before")]) for token in made])
    return made


@contextmanager
def without_shard_of(token: str) -> Iterator[None]:
    """Statements of this thread about the application fail."""

    def fail(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        if token in str(params):
            raise LOST
        return execute(sql, params, *rest)

    with connection.execute_wrapper(fail):
        yield


def bodies(token: str) -> list[str]:
    """What the application's messages say now."""
    return list(Message.objects.filter(application_token=token).values_list("body", flat=True))


def test_edits(tokens: Sequence[str]) -> None:
    well, lost = tokens
    edits = [Edit(MESSAGES, (token, 1, 1), None, {"body": "after"}) for token in tokens]

    with without_shard_of(lost):
        done, failed = edit_together(edits)

    assert isinstance(done, Message)
    assert isinstance(failed, OperationalError)
    assert (bodies(well), bodies(lost)) == (["after"], ["before"])


def test_rows_that_the_database_numbers(tokens: Sequence[str]) -> None:
    well, lost = tokens
    submissions = [Submission([new_message(token, 1, "after")]) for token in tokens]

    with without_shard_of(lost):
        done, failed = number_and_store(submissions)

    assert not isinstance(done, Exception)
    assert [row.number for row in done] == [2]
    assert isinstance(failed, OperationalError)
    assert (bodies(well), bodies(lost)) == (["before", "after"], ["before"])


def test_reads(tokens: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, lost = tokens
    select = read_your_writes._select

    def fail(kind: Any, questions: dict[int, Question]) -> Any:
        if any(lost in question.parent for question in questions.values()):
            raise LOST
        return select(kind, questions)

    async def read() -> Sequence[Any]:
        reads = [spawn(read_your_writes.stored_rows, (token, 1), Window()) for token in tokens]
        return [*await asyncio.gather(*reads, return_exceptions=True)]

    monkeypatch.setattr(read_your_writes, "_select", fail)
    rows, failed = asyncio.run(read())

    assert [row.body for row in rows] == ["before"]
    assert isinstance(failed, OperationalError)
    assert not database.database_breaker().is_open


def test_a_commit_that_may_have_reached_some_shards_is_not_repeated(
    tokens: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    well, _ = tokens
    commit = connection.commit

    def torn() -> None:
        commit()
        raise LOST

    submissions = [Submission([new_message(token, 1, "after")]) for token in tokens]
    with monkeypatch.context() as patch:
        patch.setattr(connection, "commit", torn)
        with pytest.raises(OperationalError):
            number_and_store(submissions)

    assert bodies(well) == ["before", "after"]
