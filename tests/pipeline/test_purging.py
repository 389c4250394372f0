"""A purge with rows pending in Redis: pending rows stay, and purged rows do not return."""

from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db.models import F
from django.utils import timezone

from ingest.models import DeadLetter, NumberAuthority
from ingest.sweeper import sweep
from messages_app.models import Message
from tests.api.client import Api
from tests.pipeline.backlog import Backlog
from tests.purging.conftest import OldChat, old_chat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def old(api: Api, backlog: Backlog, chat: str) -> OldChat:
    """Six messages that were accepted two days ago and are not stored yet."""
    api.say(chat, *"abcdef")
    return old_chat(chat)


def store(backlog: Backlog, *numbers: int) -> None:
    """Store these, as accepted two days ago."""
    backlog.work(lambda row: row.number in numbers)
    rows = Message.objects.filter(message_number__in=numbers)
    rows.update(created_at=F("created_at") - timedelta(days=2))


def test_what_pends_stays_and_so_does_what_is_behind_it(old: OldChat, backlog: Backlog) -> None:
    store(backlog, 1, 2, 4, 5)

    found = old.purge()

    assert (found["messages"], found["held_up"]) == (2, 1)
    assert old.numbers == [4, 5]
    store(backlog, 3, 6)
    assert old.purge()["messages"] == 4
    assert backlog.pending() == {}


def test_what_is_stored_and_pends_all_the_same_waits_for_the_sweeper(
    api: Api, old: OldChat, backlog: Backlog
) -> None:
    backlog.grow_old(61)
    backlog.server.take_copy()
    store(backlog, 1, 2, 3, 4, 5, 6)
    backlog.server.put_back_copy()

    assert old.purge()["messages"] == 0
    sweep()

    assert old.purge()["messages"] == 6
    assert api.get(f"{old.path}/messages/1").status_code in (404, 503)


def test_the_sweeper_drops_what_an_old_redis_brings_back(
    api: Api, old: OldChat, backlog: Backlog
) -> None:
    backlog.grow_old(61)
    backlog.server.take_copy()
    backlog.work()
    assert old.purge(before=timezone.now().isoformat())["messages"] == 6
    backlog.server.put_back_copy()

    sweep()

    assert old.numbers == []
    assert backlog.pending() == {}
    assert not DeadLetter.objects.exists()


def test_a_number_that_may_be_queued_holds_up_what_is_behind_it(
    old: OldChat, backlog: Backlog
) -> None:
    store(backlog, 1, 2, 4, 5, 6)
    backlog.redis.flushall()
    NumberAuthority.objects.update(is_drained=False)

    assert old.purge()["held_up"] == 1
    assert old.numbers == [4, 5, 6]


def test_without_redis_nothing_is_purged(old: OldChat, backlog: Backlog) -> None:
    store(backlog, 1, 2, 3, 4, 5, 6)
    backlog.server.kill()

    with pytest.raises(CommandError, match="Redis is unavailable"):
        old.purge()

    assert old.numbers == [1, 2, 3, 4, 5, 6]
