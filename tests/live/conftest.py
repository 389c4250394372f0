"""Servers of each kind that can serve this API."""

import pytest

from tests.live.servers import EmbeddedServer, stack_url


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("stack", marks=pytest.mark.stack),
    ]
)
def server_url(request: pytest.FixtureRequest) -> str:
    """The address of a real server, of each kind."""
    if request.param == "stack":
        return stack_url()
    server: EmbeddedServer = request.getfixturevalue(request.param)
    return server.url
