"""A worker may be killed anywhere: every row is stored once, or set aside with its error."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.rabbitmq.publisher import task_message
from ingest.message_format import write_message
from ingest.models import DeadLetter
from ingest.records import NumberedRow
from messages_app.models import Message
from tests.live.servers import eventually
from tests.pipeline.proxy import Proxy, proxy_to, through
from tests.pipeline.queue import TestQueue
from tests.pipeline.worker import TestWorker, database_url
from tests.redis_server import RedisServer
from tests.rows import new_message

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

TOKEN = "b" * 24
WITHIN_S = 60
KILLER = "this row kills"

StartWorker = Callable[..., TestWorker]


@pytest.fixture
def start_worker(queue: TestQueue, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts a worker, with a fault and settings of its own."""
    with ExitStack() as stack:
        yield lambda fault="", **settings: stack.enter_context(
            TestWorker(queue, tmp_path, fault, **settings)
        )


@pytest.fixture
def database_proxy() -> Iterator[Proxy]:
    """A way to the test database that can be closed."""
    with proxy_to(os.environ["DATABASE_URL"]) as way:
        yield way


def messages(first: int, last: int) -> list[NumberedRow]:
    return [
        new_message(TOKEN, 1, f"message {number}").numbered(number)
        for number in range(first, last + 1)
    ]


def stored() -> list[int]:
    return list(Message.objects.order_by("message_number").values_list("message_number", flat=True))


def assert_stored_once(queue: TestQueue, worker: TestWorker, count: int) -> None:
    """All rows are there, no message is left or held, and nothing was set aside."""
    eventually(lambda: len(stored()) == count, WITHIN_S, f"{count} rows")
    # An empty queue alone says nothing: a message that is held comes back when its worker ends.
    eventually(lambda: worker.done() >= queue.published, WITHIN_S, "all messages are done with")
    worker.stop()
    assert queue.ready() == 0
    assert stored() == list(range(1, count + 1))
    assert queue.dead_letters() == 0
    assert not DeadLetter.objects.exists()


def test_messages_that_wait_are_stored_in_few_batches(
    queue: TestQueue, start_worker: StartWorker
) -> None:
    rows = messages(1, 400)
    queue.put(*(rows[start : start + 10] for start in range(0, 400, 10)))

    worker = start_worker()

    assert_stored_once(queue, worker, 400)
    assert 1 <= worker.log.read_text().count("rows.stored queue=") <= 3


def test_killed_in_the_midst_of_a_backlog(queue: TestQueue, start_worker: StartWorker) -> None:
    rows = messages(1, 6000)
    queue.put(*(rows[start : start + 200] for start in range(0, 6000, 200)))

    worker = start_worker("die later")
    eventually(worker.fault_file.exists, WITHIN_S, "the fault")

    assert_stored_once(queue, worker, 6000)


@pytest.mark.parametrize("fault", ["die", "die with the parent"])
def test_killed_between_commit_and_acknowledgement(
    fault: str, queue: TestQueue, start_worker: StartWorker
) -> None:
    queue.put(messages(1, 5), messages(6, 10), messages(11, 15))

    worker = start_worker(fault)
    eventually(worker.fault_file.exists, WITHIN_S, "the fault")
    if fault == "die with the parent":
        worker.process.wait(WITHIN_S)
        worker.start()

    assert_stored_once(queue, worker, 15)


def test_a_row_that_kills_its_worker_is_found_and_set_aside(
    queue: TestQueue, start_worker: StartWorker, redis_server: RedisServer
) -> None:
    killer = new_message(TOKEN, 1, KILLER).numbered(50)
    queue.put(messages(1, 5), [*messages(6, 9), killer], messages(10, 15))

    start_worker(REDIS_URL=redis_server.url)

    eventually(lambda: len(stored()) == 15, WITHIN_S, "all others")
    eventually(DeadLetter.objects.exists, WITHIN_S, "the killer is found")
    eventually(lambda: queue.ready() == 0, WITHIN_S, "an empty queue")
    assert DeadLetter.objects.get().acceptance.hex == killer.acceptance
    assert queue.dead_letters() == 0


def test_what_cannot_be_read_is_kept_and_holds_up_nobody(
    queue: TestQueue, start_worker: StartWorker
) -> None:
    headers, body = write_message(messages(99, 99))
    unreadable = [
        body.replace(b'"format":1', b'"format":9999'),
        body.replace(b'"messages"', b'"unheard-of"'),
        b"neither JSON nor anything else",
    ]
    for one in unreadable:
        queue.put(messages(1, 5))
        queue.put_raw(headers, one)
    queue.put(messages(6, 10))

    start_worker()

    eventually(lambda: queue.dead_letters() == len(unreadable), WITHIN_S, "the dead letters")
    eventually(lambda: stored() == list(range(1, 11)), WITHIN_S, "all others")


def test_rows_are_kept_when_the_code_is_broken(queue: TestQueue, start_worker: StartWorker) -> None:
    queue.put(messages(1, 5))

    start_worker("a bug")

    eventually(lambda: queue.dead_letters() == 1, WITHIN_S, "the dead letter")
    assert queue.ready() == 0


def worker_without_its_database(
    queue: TestQueue, start_worker: StartWorker, database_proxy: Proxy
) -> TestWorker:
    """A worker that has done with one message, and has two more that it cannot store."""
    way = through(database_proxy, database_url())
    worker = start_worker(DATABASE_URL=way)
    queue.put(messages(1, 5))
    # Rows can be seen before their counts are flagged, for which the database is needed once more.
    eventually(lambda: worker.has_logged("rows.stored"), WITHIN_S, "the first message is done with")
    assert len(stored()) == 5
    database_proxy.close()
    queue.put(messages(6, 10), messages(11, 15))
    eventually(lambda: worker.has_logged("rows.wait"), WITHIN_S, "it waits")
    return worker


def test_a_worker_that_waits_for_its_database_ends_when_told_to_and_loses_nothing(
    queue: TestQueue, start_worker: StartWorker, database_proxy: Proxy
) -> None:
    waiting = worker_without_its_database(queue, start_worker, database_proxy)

    waiting.stop()

    eventually(lambda: queue.ready() == 2, WITHIN_S, "both messages are back")
    assert len(stored()) == 5
    assert_stored_once(queue, start_worker(), 15)


def test_a_scheduled_task_that_fails_is_counted_and_is_no_dead_letter(
    queue: TestQueue, start_worker: StartWorker, database_proxy: Proxy
) -> None:
    worker = start_worker(DATABASE_URL=through(database_proxy, database_url()))
    queue.put_raw(*task_message("operations.tasks.forget_requests"))
    eventually(lambda: worker.has_logged("keys.forgotten"), WITHIN_S, "it is at work")
    database_proxy.close()

    scheduled = ("operations.tasks.forget_requests", "core.tasks.reconcile_counts")
    for name in scheduled:
        queue.put_raw(*task_message(name))
    for name in scheduled:
        failed = f"task.failed task={name}"
        eventually(lambda failed=failed: worker.has_logged(failed), WITHIN_S, failed)  # type: ignore[misc]
    worker.stop()

    assert (queue.ready(), queue.dead_letters()) == (0, 0)
    for name in scheduled:
        assert worker.counted("chatsystem_tasks_failed_total", task=name) == 1


def test_a_queue_that_was_made_otherwise_is_told_and_used(
    queue: TestQueue, start_worker: StartWorker
) -> None:
    queue.make_otherwise()
    queue.put(messages(1, 5))

    worker = start_worker()

    assert_stored_once(queue, worker, 5)
    assert worker.has_logged(f"queue.differs queue={queue.name}")


def test_beat_sends_to_a_queue_that_was_made_otherwise(
    queue: TestQueue, start_worker: StartWorker
) -> None:
    queue.make_otherwise()
    worker = start_worker()

    worker.send("operations.tasks.forget_requests")

    eventually(lambda: worker.has_logged("keys.forgotten"), WITHIN_S, "the task")


def test_a_worker_goes_on_when_its_database_is_back(
    queue: TestQueue, start_worker: StartWorker, database_proxy: Proxy
) -> None:
    worker = worker_without_its_database(queue, start_worker, database_proxy)

    database_proxy.open()

    assert_stored_once(queue, worker, 15)


def test_a_worker_goes_on_after_its_connections_were_cut(
    queue: TestQueue, start_worker: StartWorker, broker_proxy: Proxy
) -> None:
    queue.put(messages(1, 5))
    worker = start_worker(BROKER_URL=through(broker_proxy, os.environ["BROKER_URL"]))
    eventually(lambda: len(stored()) == 5, WITHIN_S, "the first rows")

    broker_proxy.cut()
    queue.put(messages(6, 10), messages(11, 15))

    assert_stored_once(queue, worker, 15)
