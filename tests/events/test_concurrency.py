"""Many writers at the same time leave no gap, and readers see numbers in order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TypeVar

import pytest
from django.db import connection

from events.models import ApplicationEvent
from ingest.database_numbers import number_and_store
from ingest.edits import update
from ingest.erasure import erase_stored
from ingest.idempotent_insert import store_rows
from ingest.submission import Submission
from messages_app.records import MESSAGES
from tests.api.client import Api
from tests.events.rows import log_of, messages_in
from tests.rows import new_chat, new_message

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

WRITERS, BATCHES = 6, 12

Result = TypeVar("Result")


def closing(work: Callable[[], Result]) -> Result:
    """Do the work in a thread, and close its connection."""
    try:
        return work()
    finally:
        connection.close()


def test_numbers_have_no_gap_and_become_visible_in_order(api: Api) -> None:
    applications = sorted(api.new_application() for _ in range(3))
    for application in applications:
        api.say(api.new_chat(application), "to be edited")
    tokens = [application.split("/")[2] for application in applications]
    done = Event()

    def write(writer: int) -> None:
        for batch in range(BATCHES):
            number = 2 + writer * BATCHES + batch
            order = tokens if writer % 2 else tokens[::-1]
            store_rows([new_message(token, 1, "x").numbered(number) for token in order])
            update(MESSAGES, (tokens[writer % 3], 1, 1), body=f"{writer} {batch}")

    def read() -> None:
        seen: dict[str, int] = {}
        while not done.is_set():
            for token in tokens:
                after = seen.get(token, 0)
                rows = ApplicationEvent.objects.filter(
                    application_token=token, event_number__gt=after
                )
                numbers = sorted(rows.values_list("event_number", flat=True))
                assert numbers == list(range(after + 1, after + 1 + len(numbers)))
                seen[token] = after + len(numbers)

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        reader = threads.submit(closing, read)
        writers = [threads.submit(closing, partial(write, writer)) for writer in range(WRITERS)]
        try:
            for one in writers:
                one.result()
        finally:
            done.set()
        reader.result()

    expected = sorted((1, number) for number in range(1, 2 + WRITERS * BATCHES))
    for application in applications:
        assert sorted(messages_in(log_of(application))) == expected


def test_groups_of_chats_and_messages_that_the_database_numbers(api: Api) -> None:
    """Mixed groups lock chats and applications, and may deadlock; none of them fails."""
    applications = [api.new_application() for _ in range(2)]
    for application in applications:
        api.new_chat(application)
    tokens = [application.split("/")[2] for application in applications]

    def write(writer: int) -> list[Exception]:
        first, second = tokens if writer % 2 else tokens[::-1]
        outcomes = [
            outcome
            for _ in range(BATCHES)
            for outcome in number_and_store(
                [Submission([new_chat(first, "x")]), Submission([new_message(second, 1, "x")])]
            )
        ]
        return [outcome for outcome in outcomes if isinstance(outcome, Exception)]

    with ThreadPoolExecutor(WRITERS) as threads:
        writers = [threads.submit(closing, partial(write, writer)) for writer in range(WRITERS)]
        assert [one.result() for one in writers] == [[]] * WRITERS

    half = WRITERS // 2 * BATCHES
    for application in applications:
        log = log_of(application)
        chats = [event.chat for event in log if event.type == "chat.created"]
        assert sorted(filter(None, chats)) == list(range(1, half + 2))
        assert sorted(messages_in(log)) == [(1, number) for number in range(1, half + 1)]


def test_rivals_that_erase_the_same_messages_log_each_once(api: Api) -> None:
    application = api.new_application()
    api.say(api.new_chat(application), *map(str, range(20)))
    keys = [(application.split("/")[2], 1, number) for number in range(1, 21)]

    with ThreadPoolExecutor(4) as threads:
        rivals = [
            threads.submit(closing, partial(erase_stored, MESSAGES, order))
            for order in (keys, keys[::-1], keys[5:], keys[:10])
        ]
        counts = [one.result() for one in rivals]

    erased = [event.first for event in log_of(application) if event.type == "message.erased"]
    assert (sorted(erased), sum(counts)) == (list(range(1, 21)), 20)
