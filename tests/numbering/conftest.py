"""Numbering without a server in between, from a Redis that belongs to the test."""

from collections.abc import Iterator

import pytest

from applications.services import create_application
from tests.numbering.processes import Process
from tests.redis_server import RedisServer


@pytest.fixture(autouse=True)
def undelivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are what matters here; the rows stay pending."""
    monkeypatch.setattr("ingest.commit.deliver", lambda _: None)


@pytest.fixture
def token(transactional_db: None) -> str:
    """An application."""
    return create_application(name="numbers").token


@pytest.fixture
def process(redis_server: RedisServer, token: str) -> Iterator[Process]:
    """One process that takes numbers."""
    with Process() as process:
        yield process
