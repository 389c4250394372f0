"""Services for the state machine alone."""

import os
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from infra.rabbitmq.publisher import publisher
from tests.model.queues import OwnQueues
from tests.model.services import Services
from tests.pipeline.proxy import proxy_to, through
from tests.redis_server import RedisServer
from tests.search.conftest import elasticsearch, index, no_index, way
from tests.search.index import SearchIndex

__all__ = ["elasticsearch", "index", "no_index", "services", "way"]


@pytest.fixture
def services(
    transactional_db: None,
    index: SearchIndex,
    redis_server: RedisServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Services]:
    """All services that there are; this process reaches them by the ways."""
    broker = os.environ["BROKER_URL"]
    with proxy_to(redis_server.url) as redis_way, proxy_to(broker) as broker_way:
        urls = {
            "redis_url": through(redis_way, redis_server.url),
            "broker_url": through(broker_way, broker),
        }
        settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=urls)
        publisher.cache_clear()
        with OwnQueues(monkeypatch) as queues:
            services = Services(redis_server, (redis_way, broker_way), queues, index, monkeypatch)
            yield services
            services.open_ways()
            services.end()
            publisher()._drop()
        publisher.cache_clear()
