"""The container files agree with the code: same parts, same settings, same commands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatsystem.env import Environment
from core.broker.queues import WORK

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES = {"mariadb", "redis", "rabbitmq", "elasticsearch"}
PARTS = {*SERVICES, "web", "worker", "search", "background", "beat", "migrate"}


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_compose_runs_every_part(compose: Any) -> None:
    assert set(compose["services"]) == PARTS


def test_every_service_that_others_wait_for_has_a_health_check(compose: Any) -> None:
    for service in compose["services"].values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in compose["services"][name], name


def test_the_application_is_given_settings_that_exist_and_no_secret(compose: Any) -> None:
    environment = compose["services"]["web"]["environment"]

    assert set(environment) <= {name.upper() for name in Environment.model_fields}
    assert re.fullmatch(r"\$\{SECRET_KEY:\?.*\}", environment["SECRET_KEY"])
    for value in compose["services"]["mariadb"]["environment"].values():
        assert "PASSWORD" in value or value in {"chatsystem", "1"}


def test_keys_are_required(compose: Any) -> None:
    assert compose["services"]["web"]["environment"]["REQUIRE_KEYS"] == "1"


def test_every_queue_has_a_worker_and_none_stores_and_searches(compose: Any) -> None:
    queues = [
        queue
        for name in ("worker", "search", "background")
        for queue in compose["services"][name]["command"]
        .split("--queues ")[1]
        .split()[0]
        .split(",")
    ]

    assert sorted(queues) == sorted(WORK)


def test_redis_loses_nothing_that_it_has_confirmed(compose: Any) -> None:
    command = compose["services"]["redis"]["command"]

    assert "--appendonly yes --appendfsync always --maxmemory-policy noeviction" in command


def test_the_image_runs_as_nobody_special_and_without_a_compiler() -> None:
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")

    assert "USER chatsystem" in stages[-1]
    assert "gcc" not in stages[-1]
    assert "--require-hashes -r requirements.txt" in stages[-2]
