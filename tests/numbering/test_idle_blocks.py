"""Blocks that nobody uses go back to the database, and no number is skipped or given twice."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError

from applications.models import Application
from chats.models import Chat
from ingest import redis_keys
from ingest.idempotent_insert import store_rows
from ingest.models import Generation, NumberAuthority, NumberingProcess, NumberSkip, Source
from ingest.numbering.blocks import Block, Blocks
from ingest.numbering.idle_blocks import hand_back
from ingest.records import NumberedRow
from operations.tasks import hand_back_blocks
from tests.numbering.processes import Process
from tests.redis_server import RedisServer
from tests.rows import new_chat

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

AT_ONCE = timedelta()


def blocks_in(server: RedisServer) -> int:
    return len(server.client().keys(redis_keys.EVERY_BLOCK))


@pytest.fixture
def stored_chat(process: Process, token: str) -> None:
    """Chat 1, whose messages are numbered up to 3."""
    [row] = process.commit([new_chat(token, "c")])
    assert isinstance(row, NumberedRow)
    store_rows([row])
    assert process.messages(token, 1, 3) == [1, 2, 3]


def test_numbers_go_on_without_a_gap(
    process: Process, token: str, stored_chat: None, redis_server: RedisServer
) -> None:
    assert hand_back(idle=AT_ONCE) == 2

    assert blocks_in(redis_server) == 0
    assert Application.objects.get(token=token).number_ceiling == 1
    assert Chat.objects.get().number_ceiling == 3
    assert process.messages(token, 1, 200) == list(range(4, 204))
    assert process.chats(token, 2) == [2, 3]
    assert hand_back(idle=AT_ONCE) == 2
    assert process.messages(token, 1) == [204]
    assert not NumberSkip.objects.exists()


def test_each_chat_goes_on_where_it_was(process: Process, token: str) -> None:
    accepted = process.commit([new_chat(token, "c") for _ in range(3)])
    store_rows([row for row in accepted if isinstance(row, NumberedRow)])
    for chat in (1, 2, 3):
        process.messages(token, chat, 10 * chat)

    assert hand_back(idle=AT_ONCE) == 4

    rows = Chat.objects.order_by("chat_number")
    assert list(rows.values_list("number_ceiling", "lease_first", "lease_last", "lease_at")) == [
        (10 * chat, None, None, None) for chat in (1, 2, 3)
    ]
    assert [process.messages(token, chat) for chat in (1, 2, 3)] == [[11], [21], [31]]


def test_the_database_goes_on_where_the_block_ended(
    process: Process, token: str, stored_chat: None, redis_server: RedisServer
) -> None:
    hand_back(idle=AT_ONCE)
    redis_server.kill()

    assert process.messages(token, 1, 2) == [4, 5]


def test_blocks_in_use_stay(process: Process, token: str, redis_server: RedisServer) -> None:
    process.chats(token)

    assert hand_back() == 0
    assert blocks_in(redis_server) == 2


def test_the_block_of_a_chat_that_is_not_stored_yet_stays(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token)

    assert hand_back(idle=AT_ONCE) == 1
    assert redis_server.client().exists(redis_keys.block(f"{token}/1"))
    assert process.messages(token, 1, 2) == [1, 2]


def test_a_block_stays_if_a_number_is_given_meanwhile(
    process: Process, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert process.chats(token, 2) == [1, 2]
    end_early = Blocks.end_early

    def late(blocks: Blocks, generation: Generation, wanted: Mapping[str, Block]) -> object:
        assert process.chats(token) == [3]
        return end_early(blocks, generation, wanted)

    monkeypatch.setattr(Blocks, "end_early", late)

    assert hand_back(idle=AT_ONCE) == 0
    assert process.chats(token, 200) == list(range(4, 204))
    assert not NumberSkip.objects.exists()


def _raise(*_: object) -> None:
    raise OperationalError(2013, "Lost connection to server during query")


@pytest.mark.parametrize("given", [3, 100])  # the second lease begins above the block's next number
@pytest.mark.parametrize("dies_in", ["end_early", "forget"])
def test_a_job_that_dies_leaves_no_gap(
    process: Process, token: str, monkeypatch: pytest.MonkeyPatch, given: int, dies_in: str
) -> None:
    assert process.chats(token, given) == list(range(1, given + 1))
    process.chats(token, 60)
    ended: Callable[..., object] = getattr(Blocks, dies_in)

    def die(*arguments: object) -> None:
        ended(*arguments)
        _raise()

    monkeypatch.setattr(Blocks, dies_in, die)
    with pytest.raises(OperationalError):
        hand_back(idle=AT_ONCE)
    monkeypatch.setattr(Blocks, dies_in, ended)

    first = given + 61
    assert process.chats(token, 300) == list(range(first, first + 300))
    assert not NumberSkip.objects.exists()


def test_blocks_of_an_older_epoch_stay(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token)
    call_command("new_epoch", reason="a test")

    assert hand_back(idle=AT_ONCE) == 0
    assert blocks_in(redis_server) == 2


def test_nothing_is_handed_back_while_the_database_gives_the_numbers(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token)
    NumberAuthority.objects.update(source=Source.DATABASE)
    process.kill()

    assert hand_back(idle=AT_ONCE) == 0
    assert blocks_in(redis_server) == 2


def test_the_task_leaves_no_process_behind(process: Process, token: str) -> None:
    process.chats(token)
    process.end()

    hand_back_blocks()

    assert not NumberingProcess.objects.exists()


def test_a_redis_that_does_not_answer_leaves_the_work_for_later(
    process: Process, token: str, redis_server: RedisServer
) -> None:
    process.chats(token)
    redis_server.kill()

    hand_back_blocks()
