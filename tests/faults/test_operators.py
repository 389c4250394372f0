"""Operators' pages respond within a second while a service is down, and report it."""

import os
import time
from collections.abc import Iterator

import httpx
import pytest

from chaos import stack
from tests.browser.site import PASSWORD, Site
from tests.live.servers import eventually, stack_url

pytestmark = [pytest.mark.stack, pytest.mark.faults]

ANSWER_S = 1.0
#: A sample is taken every ten seconds.
SAMPLED_S = 40
DASHBOARD = "/admin/dashboard/"
DATA = "/admin/dashboard/data"
READY = "/health/ready"


@pytest.fixture
def operator() -> Iterator[httpx.Client]:
    """A client of the pages in which an operator has logged in."""
    name = Site(stack_url(), os.environ).new_operator()
    with httpx.Client(base_url=stack_url(), timeout=30) as client:
        client.get("/admin/login/")
        token = client.cookies["csrftoken"]
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
        assert client.post("/admin/login/?next=/admin/", data=form).status_code == 302
        assert asked(client, DASHBOARD).status_code == 200
        yield client


def asked(client: httpx.Client, path: str) -> httpx.Response:
    """The answer, which comes in time."""
    began = time.monotonic()
    answer = client.get(path)
    assert time.monotonic() - began < ANSWER_S, path
    assert "Traceback" not in answer.text
    return answer


def test_without_redis_the_health_is_degraded_and_the_dashboard_shows_it(
    operator: httpx.Client,
) -> None:
    with stack.broken("stop", "redis"):
        ready = asked(operator, READY)
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert asked(operator, DASHBOARD).status_code == 200

        def says_so() -> bool:
            services = asked(operator, DATA).json()["services"]
            return ["redis", "down"] in [service[:2] for service in services]

        eventually(says_so, SAMPLED_S, "a sample of the time without Redis", every=0.5)


def test_without_the_database_the_health_is_down_and_the_dashboard_a_503(
    operator: httpx.Client,
) -> None:
    with stack.broken("stop", "mariadb"):
        ready = asked(operator, READY)
        assert (ready.status_code, ready.json()["status"]) == (503, "down")
        for path in (DASHBOARD, DATA):
            answer = asked(operator, path)
            assert answer.status_code == 503
            assert answer.json()["detail"] == "The database is unavailable."
            assert answer.headers["Retry-After"]
    eventually(lambda: operator.get(DATA).is_success, 30, "the dashboard after the outage")
