"""Many writers at the same time leave no gap, and readers see numbers in order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest
from django.db import connection

from events.models import ApplicationEvent
from ingest.idempotent_insert import store_rows
from ingest.read_your_writes import update
from messages_app.records import MESSAGES
from tests.api.client import Api
from tests.events.rows import log_of, messages_in
from tests.rows import new_message

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

WRITERS, BATCHES = 6, 12


def closing(work: Callable[[], object]) -> object:
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
