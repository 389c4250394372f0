"""Every test starts with a healthy stack and leaves it healthy."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker, Settings

from chaos.client import Client
from chaos.healing import heal
from chaos.parent import Parent
from tests.faults.load import Load
from tests.live.servers import as_client_of_the_stack

CLIENTS = 8
CHATS = 4


@pytest.fixture(autouse=True)
def healed(settings: Settings, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """All parts run, Redis gives the numbers, and nothing waits in the queues; before and after."""
    with as_client_of_the_stack(settings), django_db_blocker.unblock():
        heal()
        try:
            yield
        finally:
            heal()


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of the API."""
    with Client() as client:
        yield client


@pytest.fixture
def chats(client: Client) -> list[Parent]:
    """Some chats."""
    return client.new_chats(CHATS)


@pytest.fixture
def load(chats: list[Parent]) -> Load:
    """Eight clients, two in each chat."""
    return Load([chats[number % CHATS] for number in range(CLIENTS)])
