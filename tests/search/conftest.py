"""An Elasticsearch for the tests that need one; the other tests have none."""

import os
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch
from pytest_django import Settings

from search import index_build
from search.index import queries
from search.index.client import client
from search.index.layout import layout
from tests.pipeline.proxy import Proxy, proxy_to, through
from tests.search.index import SearchIndex

#: Makes everything findable, and returns the backend.
Settle = Callable[[], str]


@pytest.fixture
def way() -> Iterator[Proxy]:
    """A proxy to the stack's Elasticsearch that can be frozen and cut."""
    with proxy_to(os.environ["ELASTICSEARCH_URL"]) as way:
        yield way


@pytest.fixture
def elasticsearch(no_queue: None, way: Proxy, settings: Settings) -> Iterator[None]:
    """Let this process use the stack's Elasticsearch, with separate index names."""
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(
        update={
            "elasticsearch_url": through(way, os.environ["ELASTICSEARCH_URL"]),
            "elasticsearch_index": f"test_{uuid4().hex}",
            "elasticsearch_shards": 3,
        }
    )
    forget()
    yield
    client().close()
    forget()


def forget() -> None:
    """Clear this process's state about Elasticsearch."""
    client.cache_clear()
    queries.breaker.cache_clear()


@pytest.fixture
def no_index(db: None, elasticsearch: None) -> Iterator[SearchIndex]:
    """An Elasticsearch without an index."""
    with Elasticsearch(os.environ["ELASTICSEARCH_URL"]) as server:
        index = SearchIndex(server)
        yield index
        index.wipe()


@pytest.fixture
def index(no_index: SearchIndex) -> SearchIndex:
    """A complete, empty index."""
    index_build.begin()
    index_build.resume()
    return no_index


@pytest.fixture(scope="session")
def shared_name() -> Iterator[str]:
    """The name of indexes that tests share; they are removed at the end."""
    name = f"test_{uuid4().hex}"
    yield name
    with Elasticsearch(os.environ["ELASTICSEARCH_URL"]) as server:
        for index in server.indices.get(index=f"{name}-*"):
            server.indices.delete(index=index)


@pytest.fixture
def shared_index(
    db: None, elasticsearch: None, shared_name: str, settings: Settings
) -> Iterator[SearchIndex]:
    """A complete index that has what other tests have said in their own applications.

    A new one costs Elasticsearch more than all that a test asks of it.
    """
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(
        update={"elasticsearch_index": shared_name}
    )
    with Elasticsearch(os.environ["ELASTICSEARCH_URL"]) as server:
        index = SearchIndex(server)
        if layout().live is None:
            index.rebuild()
        yield index


@pytest.fixture(params=["database", pytest.param("elasticsearch", marks=pytest.mark.stack)])
def settle(request: pytest.FixtureRequest) -> Settle:
    """Makes everything findable, and says by which backend."""
    if request.param == "database":
        return lambda: "database"
    index: SearchIndex = request.getfixturevalue("shared_index")

    def keep_up() -> str:
        index.keep_up()
        return "elasticsearch"

    return keep_up
