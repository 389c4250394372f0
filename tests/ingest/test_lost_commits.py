"""An edit whose commit got no answer: it is looked up whether it was done."""

from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from infra import database
from tests.api.client import Api
from tests.lost_connection import lose_connection

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

_commit = BaseDatabaseWrapper.commit


def done_without_an_answer(connection: BaseDatabaseWrapper) -> None:
    _commit(connection)
    raise OperationalError(2013, "Lost connection to server during query")


def not_done(connection: BaseDatabaseWrapper) -> None:
    lose_connection()
    _commit(connection)


@pytest.mark.parametrize(
    ("commit", "status", "version"), [(done_without_an_answer, 200, 2), (not_done, 503, 1)]
)
def test_what_was_committed_is_answered(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    commit: Callable[[BaseDatabaseWrapper], None],
    status: int,
    version: int,
) -> None:
    chat = api.new_chat()
    before = len(api.get(f"/applications/{chat.split('/')[2]}/events").json()["results"])

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "commit", commit)
        answer = api.put(chat, {"name": "another"})

    assert answer.status_code == status
    assert api.get(chat)["ETag"] == f'"{version}"'
    events = api.get(f"/applications/{chat.split('/')[2]}/events").json()["results"]
    assert len(events) - before == version - 1
    assert not database.database_breaker().is_open
