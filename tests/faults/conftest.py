"""Every test begins on a stack that is whole, and leaves one that is whole again."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.faults import stack
from tests.faults.client import Chat, Client
from tests.faults.database import until_numbers_are_of
from tests.faults.load import Load
from tests.faults.waiting import until

CLIENTS = 8
CHATS = 4


@pytest.fixture(autouse=True)
def healed(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """All parts run, Redis gives the numbers, and nothing waits in the queues; before and after."""
    with django_db_blocker.unblock():
        heal()
        try:
            yield
        finally:
            heal()


def heal() -> None:
    """Return when the stack is whole."""
    stack.start_all()
    until(accepts, "the stack accepts a chat")
    until_numbers_are_of("redis")
    until(lambda: not any(map(stack.queued, ("chats", "messages"))), "nothing is queued")


def accepts() -> bool:
    """Whether an application can be created, and a chat in it."""
    with Client() as client:
        answer = client.send("POST", "/applications", {"name": "whole"})
        if answer.status != 201:
            return False
        path = f"/applications/{answer.document['token']}/chats"
        return client.send("POST", path, {"name": "whole"}).status == 201


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of the API."""
    with Client() as client:
        yield client


@pytest.fixture
def chats(client: Client) -> list[Chat]:
    """Some chats."""
    return client.new_chats(CHATS)


@pytest.fixture
def load(chats: list[Chat]) -> Load:
    """Eight clients, two in each chat."""
    return Load([chats[number % CHATS] for number in range(CLIENTS)])
