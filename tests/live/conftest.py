"""Servers of each kind that can serve this API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.servers import EmbeddedServer, GunicornServer, stack_url


@pytest.fixture(scope="session")
def gunicorn(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[EmbeddedServer]:
    """The embedded profile, served by gunicorn."""
    with GunicornServer(tmp_path_factory.mktemp("gunicorn"), migrated) as server:
        yield server


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("gunicorn", marks=pytest.mark.embedded),
        pytest.param("stack", marks=pytest.mark.stack),
    ]
)
def server_url(request: pytest.FixtureRequest) -> str:
    """The address of a real server, of each kind."""
    if request.param == "stack":
        return stack_url()
    server: EmbeddedServer = request.getfixturevalue(request.param)
    return server.url
