"""The tests speak to the stack of the clusters as the command does."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker, Settings

from tests.live.servers import as_client_of_the_stack


@pytest.fixture(autouse=True)
def of_the_stack(settings: Settings, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """This process uses the stack's services."""
    with as_client_of_the_stack(settings), django_db_blocker.unblock():
        yield
