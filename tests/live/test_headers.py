"""Security and caching headers, and files prepared at start-up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.live.servers import NO_TLS, EmbeddedServer

ORIGIN = "https://chat.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[EmbeddedServer]:
    folder = tmp_path_factory.mktemp("headers")
    with EmbeddedServer(folder, migrated, CORS_ORIGINS=ORIGIN) as server:
        yield server


@pytest.fixture(scope="module")
def first_descriptions(server: EmbeddedServer) -> list[httpx.Response]:
    """What the first six clients of the server get, who ask for its description at once."""

    def ask(_: int) -> httpx.Response:
        return httpx.get(f"{server.url}/api/v1/schema", verify=NO_TLS)

    with ThreadPoolExecutor(6) as clients:
        return list(clients.map(ask, range(6)))


@pytest.fixture(scope="module")
def site(
    server: EmbeddedServer, first_descriptions: list[httpx.Response]
) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, verify=NO_TLS) as client:
        yield client


@pytest.mark.parametrize("path", ["/api/v1/docs", "/api/v1/docs?script=", "/admin/login/"])
def test_a_page_has_one_policy_that_lets_no_foreign_script_run(
    site: httpx.Client, path: str
) -> None:
    headers = site.get(path).headers

    assert headers.get_list("Cross-Origin-Opener-Policy") == ["same-origin"]
    [policy] = headers.get_list("Content-Security-Policy")
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("path", ["/api/v1/applications", "/api/v1/nothing", "/admin/login/"])
def test_no_answer_is_kept_by_a_cache(site: httpx.Client, path: str) -> None:
    [control] = site.get(path).headers.get_list("Cache-Control")

    assert "no-store" in control


@pytest.mark.parametrize(
    "header",
    [
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "X-Request-ID",
    ],
)
def test_a_page_of_an_allowed_origin_may_send(site: httpx.Client, header: str) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": header,
    }

    answer = site.options("/api/v1/applications", headers=asked)

    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert header.lower() in answer.headers["Access-Control-Allow-Headers"]


def test_a_page_of_an_allowed_origin_may_read(site: httpx.Client) -> None:
    answer = site.post("/api/v1/applications", json={"name": "x"}, headers={"Origin": ORIGIN})

    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"ETag", "Location", "Retry-After", "Idempotency-Replayed"} <= set(exposed)
    assert {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= set(exposed)


def test_the_description_is_there_for_the_first_who_ask_at_once(
    first_descriptions: list[httpx.Response],
) -> None:
    assert {answer.status_code for answer in first_descriptions} == {200}
    assert len({answer.content for answer in first_descriptions}) == 1
