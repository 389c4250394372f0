"""The contents of `/metrics`, and who may read it."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.test import Client
from prometheus_client.multiprocess import MultiProcessCollector
from pytest_django import Settings

from infra.timeouts import REDIS_ANSWER_SECONDS
from tests.api.client import Api
from tests.live.servers import NO_TLS, EmbeddedServer, eventually, free_port
from tests.operations.scrape import Samples, samples, total
from tests.redis_server import RedisServer

TOKEN = "a-token-of-operators"  # noqa: S105
REQUESTS = "chatsystem_http_requests_total"


def scraped(http: httpx.Client) -> Samples:
    answer = http.get("/metrics")
    assert answer.status_code == 200
    return samples(answer.text)


@pytest.fixture(scope="module")
def two_processes(
    tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("two")
    settings = {"WEB_CONCURRENCY": "2", "PROMETHEUS_MULTIPROC_DIR": ""}
    with (
        EmbeddedServer(folder, migrated, **settings) as server,
        httpx.Client(base_url=server.url, timeout=30) as http,
    ):
        eventually(lambda: _serving(server.url, folder / "metrics") == 2, 30, "two that serve")
        yield http


def _serving(url: str, directory: Path) -> int:
    """How many processes have answered a request; one more is sent."""
    httpx.get(f"{url}/health/live", verify=NO_TLS)
    counted = [MultiProcessCollector.merge([str(file)]) for file in directory.glob("counter_*.db")]
    return sum(
        any(metric.name == "chatsystem_http_requests" and metric.samples for metric in one)
        for one in counted
    )


def test_all_processes_are_counted_whoever_is_asked(two_processes: httpx.Client) -> None:
    before = scraped(two_processes)
    for _ in range(20):
        # A connection of its own for each, so that both processes get some.
        url = f"{two_processes.base_url}/api/v1/applications"
        httpx.post(url, data={"name": "x"}, verify=NO_TLS)

    labels = {"method": "POST", "route": "/api/v1/applications", "status": "201"}
    for _ in range(5):
        after = scraped(two_processes)
        assert total(after, REQUESTS, labels) - total(before, REQUESTS, labels) == 20
    assert total(after, "chatsystem_http_request_seconds_total", {"method": "POST"}) > 0


def test_routes_are_templates_and_what_is_none_is_one(two_processes: httpx.Client) -> None:
    for path in ("/nowhere/1", "/nowhere/2", "/api/v1/applications/000000000000000000000000"):
        two_processes.get(path)
    two_processes.request("BREW", "/nowhere/3")

    found = scraped(two_processes)

    assert total(found, REQUESTS, {"route": "other", "status": "404", "method": "GET"}) == 2
    assert total(found, REQUESTS, {"route": "/api/v1/applications/<token>", "status": "404"}) == 1
    assert total(found, REQUESTS, {"method": "other"}) == 1


def test_groups_and_their_steps_are_counted(api: Api, client: Client) -> None:
    before = samples(client.get("/metrics").content.decode())
    chat = api.new_chat()
    api.post(f"{chat}/messages/bulk", {"messages": [{"body": "x"}] * 3})

    after = samples(client.get("/metrics").content.decode())

    def gained(name: str, **labels: str) -> float:
        return total(after, name, labels) - total(before, name, labels)

    assert gained("chatsystem_rows_accepted_total", delivery="database") == 4
    assert gained("chatsystem_accept_group_rows_sum") == 4
    assert gained("chatsystem_accept_step_seconds_count", step="database") == 2


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_redis_that_is_away_is_not_waited_for_and_is_said_to_be(
    fault: str, redis_server: RedisServer, transactional_db: None, client: Client
) -> None:
    client.get("/metrics")
    getattr(redis_server, fault)()

    began = time.monotonic()
    found = samples(client.get("/metrics").content.decode())
    took = time.monotonic() - began

    assert took < REDIS_ANSWER_SECONDS  # each part has its own, shorter limit
    assert total(found, "chatsystem_up", {"service": "redis"}) == 0
    assert total(found, "chatsystem_up", {"service": "database"}) == 1
    assert "chatsystem_pending_rows" not in {name for name, _ in found}


def test_services_that_are_away_together_are_not_waited_for(
    settings: Settings, transactional_db: None, client: Client
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(
        update={"broker_url": f"amqp://{nowhere}//", "elasticsearch_url": f"http://{nowhere}"}
    )

    began = time.monotonic()
    found = samples(client.get("/metrics").content.decode())

    assert time.monotonic() - began < REDIS_ANSWER_SECONDS
    for service in ("rabbitmq", "elasticsearch"):
        assert total(found, "chatsystem_up", {"service": service}) == 0


@pytest.fixture
def production(settings: Settings, db: None) -> None:
    update = {"redis_url": "redis://h/0", "operator_networks": None}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=update)


def allow(settings: Settings, **update: str) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=update)


def test_in_production_nobody_is_shown_metrics_by_default(production: None, client: Client) -> None:
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403


@pytest.mark.parametrize(
    ("header", "status"),
    [(f"Bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 403), (TOKEN, 403), ("Bearer é", 403)],
)
def test_a_token_opens_them(
    header: str, status: int, production: None, settings: Settings, client: Client
) -> None:
    allow(settings, metrics_token=TOKEN)

    assert client.get("/metrics", headers={"Authorization": header}).status_code == status


@pytest.mark.parametrize(
    ("address", "status"),
    [("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("11.1.2.3", 403), ("fd00::1", 200), ("", 403)],
)
def test_a_network_opens_them(
    address: str, status: int, production: None, settings: Settings, client: Client
) -> None:
    allow(settings, operator_networks="10.0.0.0/8, fd00::/8")

    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


def test_a_header_opens_nothing(production: None, settings: Settings, client: Client) -> None:
    allow(settings, operator_networks="10.0.0.0/8")

    answer = client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"})

    assert answer.status_code == 403
