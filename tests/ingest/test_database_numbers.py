"""The database numbers rows 1 to N without gaps or repeats, despite failures and races."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import DataError, connection, transaction

from applications.models import Application, ApplicationNotFound
from applications.services import create_application
from chats.models import Chat
from chats.records import ChatNotFound
from ingest.database_numbers import number_and_insert, take_numbers
from messages_app.models import Message
from tests.rows import create_chat, create_message, new_message

pytestmark = pytest.mark.both

WRITERS = 32
EACH = 8


def at_once(work: Callable[[int], object]) -> None:
    """Run the work of 32 writers at once, each with a database connection of its own."""
    start = Barrier(WRITERS)

    def writer(number: int) -> None:
        try:
            start.wait(30)
            for _ in range(EACH):
                work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(writer, range(WRITERS)))


@pytest.mark.django_db(transaction=True)
def test_32_writers_at_once_get_the_numbers_of_one_chat_without_a_gap() -> None:
    token = create_application(name="a").token
    create_chat(application_token=token, name="c")

    def write(number: int) -> None:
        create_message(application_token=token, chat_number=1, body=f"from {number}")

    at_once(write)

    numbers = Message.objects.order_by("message_number").values_list("message_number", flat=True)
    assert list(numbers) == list(range(1, WRITERS * EACH + 1))


@pytest.mark.django_db(transaction=True)
def test_32_writers_at_once_get_the_numbers_of_one_application_without_a_gap() -> None:
    token = create_application(name="a").token

    at_once(lambda number: create_chat(application_token=token, name=f"{number}"))

    numbers = Chat.objects.order_by("chat_number").values_list("chat_number", flat=True)
    assert list(numbers) == list(range(1, WRITERS * EACH + 1))


@pytest.mark.django_db(transaction=True)
def test_an_insert_that_fails_gives_its_number_back() -> None:
    token = create_application(name="a").token
    create_chat(application_token=token, name="c")

    def fail() -> None:
        with transaction.atomic():
            number_and_insert([new_message(token, 1, "lost")])
            raise DataError

    with pytest.raises(DataError):
        fail()

    message = create_message(application_token=token, chat_number=1, body="kept")
    assert message.number == 1


@pytest.mark.django_db
def test_a_range_of_numbers_is_consecutive_and_never_given_again() -> None:
    application = create_application(name="a")
    row = Application.objects.filter(token=application.token)

    assert [take_numbers(row, count) for count in (3, 1, 2)] == [
        range(1, 4),
        range(4, 5),
        range(5, 7),
    ]


@pytest.mark.django_db
def test_numbers_go_on_above_the_ceiling_and_not_above_the_highest_row() -> None:
    token = create_application(name="a").token
    Application.objects.update(number_ceiling=1000)

    assert create_chat(application_token=token, name="c").number == 1001


@pytest.mark.django_db
def test_a_parent_that_does_not_exist_gives_no_number() -> None:
    token = create_application(name="a").token

    with pytest.raises(ChatNotFound):
        create_message(application_token=token, chat_number=1, body="x")
    with pytest.raises(ApplicationNotFound):
        create_chat(application_token="0" * 24, name="x")


@pytest.mark.django_db(transaction=True)
def test_numbers_are_not_to_be_had_outside_a_transaction() -> None:
    application = create_application(name="a")

    with pytest.raises(RuntimeError, match="transaction"):
        take_numbers(Application.objects.filter(pk=application.pk), 1)
