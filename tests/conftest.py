"""Fixtures that all tests share: the API without a server between, and a server of one's own."""

from collections.abc import Iterator

import httpx
import pytest
from pytest_django import Settings

from tests.api.client import Api
from tests.live.servers import EmbeddedServer, stack_url


@pytest.fixture(autouse=True)
def quick_client(settings: Settings) -> None:
    """Each test client loads the middleware anew: without listing all static files then."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def api(db: None) -> Api:
    """The API, called in this process, on the test database."""
    return Api()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A real server of the embedded profile with a database of its own."""
    with EmbeddedServer(tmp_path_factory.mktemp("embedded")) as server:
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
    with httpx.Client(base_url=f"{base_url}/api/v1", timeout=60) as client:
        yield client
