"""Fixtures that all tests share: the API without a server between, and a server of one's own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pytest_django import Settings

from infra import database
from infra.redis_client import redis_breaker, redis_client, redis_pool
from messages_app.records import MESSAGES
from search.backlog import record
from tests.api.client import Api
from tests.live.servers import NO_TLS, EmbeddedServer, migrated_database, stack_url
from tests.redis_server import RedisServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """For the tests in a browser."""
    what = "leave pictures of the pages that tests in a browser see in this folder"
    parser.addoption("--pictures", type=Path, metavar="FOLDER", help=what)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A Redis of a test's own is a service too, and so is an index on the stack's Elasticsearch."""
    for item in items:
        if {"redis_server", "elasticsearch"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.stack)


@pytest.fixture(autouse=True)
def quick_client(settings: Settings) -> None:
    """Each test client loads the middleware anew: without listing all static files then."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True, scope="session")
def backlog_is_subscribed() -> None:
    """As in a process that has Elasticsearch at its start: some tests switch it on later."""
    if record not in MESSAGES.subscribers:
        MESSAGES.subscribers.append(record)


@pytest.fixture(autouse=True)
def no_queue(settings: Settings) -> None:
    """What runs in this process uses the test database alone: a stack's workers have another.

    Without keys, too, whatever services a test adds.
    """
    alone = {"redis_url": "", "broker_url": "", "elasticsearch_url": "", "require_keys": False}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=alone)


@pytest.fixture(autouse=True)
def known_to_be_well() -> Iterator[None]:
    """A test that has the database fail says nothing to the next: a probe may not use this one."""
    yield
    database.database_breaker.cache_clear()


@pytest.fixture
def redis_server(no_queue: None, settings: Settings, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, which this process uses."""
    with RedisServer(tmp_path) as server:
        settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"redis_url": server.url})
        yield server
        redis_pool().disconnect()
    redis_pool.cache_clear()
    redis_client.cache_clear()
    redis_breaker.cache_clear()


@pytest.fixture
def api(db: None) -> Api:
    """The API, called in this process, on the test database."""
    return Api()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database for processes of a test's own: made once, to be copied."""
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[EmbeddedServer]:
    """A real server of the embedded profile with a database of its own."""
    with EmbeddedServer(tmp_path_factory.mktemp("embedded"), migrated) as server:
        yield server


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("stack", marks=pytest.mark.stack),
    ]
)
def base_url(request: pytest.FixtureRequest) -> str:
    """The address of a real server: once embedded, once the local stack."""
    if request.param == "stack":
        return stack_url()
    server: EmbeddedServer = request.getfixturevalue("embedded")
    return server.url


@pytest.fixture
def http(base_url: str) -> Iterator[httpx.Client]:
    """A client of that server's API."""
    with httpx.Client(base_url=f"{base_url}/api/v1", timeout=60, verify=NO_TLS) as client:
        yield client
