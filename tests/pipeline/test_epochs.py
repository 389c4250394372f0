"""How a new epoch or a restarted Redis affects rows that are already queued."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from infra.rabbitmq.connection import BrokerUnavailable
from ingest import redis_keys, sweeper
from ingest.models import NumberAuthority, NumberSkip
from ingest.numbering.authority import read_authority
from ingest.sweeper import sweep
from tests.api.client import Api
from tests.live.servers import eventually
from tests.pipeline.backlog import Backlog, stored
from tests.shards import ONLY


class TestDrained:
    """When nothing that was queued before this epoch can come any more."""

    @pytest.fixture(autouse=True)
    def new_epoch(self, backlog: Backlog) -> None:
        """Of three minutes ago."""
        call_command("new_epoch", reason="a test")
        sweep()
        NumberAuthority.objects.update(since=timezone.now() - timedelta(minutes=3))

    def test_is_found_when_the_queues_are_empty(self, backlog: Backlog) -> None:
        assert not read_authority(ONLY).is_drained

        assert sweep().is_drained
        assert read_authority(ONLY).is_drained

    def test_not_while_the_epoch_is_young(self, backlog: Backlog) -> None:
        NumberAuthority.objects.update(since=timezone.now() - timedelta(minutes=1))

        assert not sweep().is_drained

    @pytest.mark.parametrize("found", [3, BrokerUnavailable("away")])
    def test_not_while_something_is_queued_or_nobody_knows(
        self, backlog: Backlog, monkeypatch: pytest.MonkeyPatch, found: int | BrokerUnavailable
    ) -> None:
        def waiting(*queues: str) -> int:
            assert set(queues) == {"chats", "messages"}
            if isinstance(found, BrokerUnavailable):
                raise found
            return found

        monkeypatch.setattr(sweeper, "messages_waiting", waiting)

        assert not sweep().is_drained

    def test_not_while_old_rows_are_left_to_the_workers(self, api: Api, backlog: Backlog) -> None:
        api.new_chat()
        backlog.grow_old(240)
        backlog.redis.set(redis_keys.progress(ONLY, "chats"), 1)

        assert not sweep().is_drained

    def test_not_of_an_epoch_that_began_meanwhile(
        self, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def begin_another(*_: str) -> int:
            call_command("new_epoch")
            return 0

        monkeypatch.setattr(sweeper, "messages_waiting", begin_another)

        assert not sweep().is_drained
        assert not read_authority(ONLY).is_drained


def test_a_restarted_redis_is_examined_though_nobody_writes(
    api: Api, backlog: Backlog, chat: str
) -> None:
    epoch = read_authority(ONLY).epoch
    backlog.end_process()
    backlog.server.restart()
    assert api.get(f"{chat}/messages/1").status_code == 503

    sweep()

    assert api.get(f"{chat}/messages/1").status_code == 404
    assert read_authority(ONLY).epoch == epoch


def test_a_new_epoch_is_later_than_any_that_redis_knows(backlog: Backlog) -> None:
    backlog.redis.set(redis_keys.epoch(ONLY), 50)

    call_command("new_epoch")

    assert read_authority(ONLY).epoch == 51
    assert int(backlog.redis.get(redis_keys.epoch(ONLY))) == 51


def test_a_new_epoch_begins_without_redis(backlog: Backlog) -> None:
    before = read_authority(ONLY).epoch
    backlog.server.kill()

    call_command("new_epoch")

    assert read_authority(ONLY).epoch > before


def test_a_new_epoch_loses_and_repeats_nothing(api: Api, backlog: Backlog, chat: str) -> None:
    first = api.say(chat, *"ab")
    before = read_authority(ONLY).epoch

    call_command("new_epoch", reason="y" * 300)
    eventually(lambda: api.say(chat, "c")[0] > 100, 5, "the process learns of the epoch")
    backlog.work()

    authority = read_authority(ONLY)
    assert authority.epoch > before
    assert authority.needs_full_count
    assert first == [1, 2]
    assert stored()[-1] == 129
    assert len(stored()) == len(set(stored()))
    assert NumberSkip.objects.filter(resumed_at=129).exists()
