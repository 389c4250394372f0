"""What `/health/ready` says of parts that do not work, how soon, and to whom."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from chatsystem import schedule
from chatsystem.models import ScheduledRun
from core.broker.depth import QueueState
from core.tasks import reconcile_counts
from tests.redis_server import RedisServer

SWEEP = "core.tasks.sweep"
COUNTS = "core.tasks.reconcile_counts"


@pytest.fixture
def two_tasks(settings: Settings, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    """One that is due each minute and one that is each hour, both in time, watched for long."""
    monkeypatch.setattr(schedule, "_watching_since", timezone.now() - timedelta(days=9))
    monkeypatch.setattr(schedule, "_noted_at", {})
    settings.CELERY_BEAT_SCHEDULE = {
        "sweep": {"task": SWEEP, "schedule": 60},
        "reconcile-counts": {"task": COUNTS, "schedule": 3600},
    }
    ran(SWEEP, seconds_ago=1)
    ran(COUNTS, seconds_ago=1)


def ran(task: str, seconds_ago: float) -> None:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    ScheduledRun.objects.update_or_create(task=task, defaults={"ran_at": at})


def late() -> list[str]:
    return [one.name for one in schedule.scheduled() if one.is_late]


def test_tasks_are_late_after_three_of_their_intervals(two_tasks: None) -> None:
    ran(SWEEP, seconds_ago=170)
    ran(COUNTS, seconds_ago=3 * 3600 - 60)
    assert late() == []

    ran(SWEEP, seconds_ago=190)
    assert late() == ["sweep"]

    ran(COUNTS, seconds_ago=3 * 3600 + 60)
    assert late() == ["sweep", "reconcile-counts"]


def test_a_task_that_never_ran_is_late_once_it_was_watched_for_so_long(
    two_tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ScheduledRun.objects.all().delete()
    assert late() == ["sweep", "reconcile-counts"]

    monkeypatch.setattr(schedule, "_watching_since", timezone.now())
    assert late() == []


def test_a_missed_beat_degrades_and_is_named(two_tasks: None, client: Client) -> None:
    ran(SWEEP, seconds_ago=600)

    answer = client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["parts"]["schedule"] == {"status": "failing", "reason": "late: sweep"}


def test_a_task_says_that_it_ran(two_tasks: None) -> None:
    ran(COUNTS, seconds_ago=9 * 3600)

    reconcile_counts.apply()

    assert late() == []


def test_a_task_that_fails_has_not_run(two_tasks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(COUNTS, seconds_ago=9 * 3600)
    monkeypatch.setattr("core.counts.reconcile", lambda: 1 / 0)

    reconcile_counts.apply()

    assert late() == ["reconcile-counts"]


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_redis_that_is_away_degrades_within_a_second(
    fault: str, redis_server: RedisServer, transactional_db: None, client: Client
) -> None:
    assert client.get("/health/ready").json()["parts"]["redis"] == {"status": "ok"}
    getattr(redis_server, fault)()

    began = time.monotonic()
    answer = client.get("/health/ready")
    took = time.monotonic() - began

    assert took < 1
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["parts"]["redis"]["status"] == "failing"


def test_a_queue_without_workers_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, db: None, client: Client
) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"broker_url": "amqp://h//"})
    monkeypatch.setattr(
        "chatsystem.probes.states_of",
        lambda *queues: {name: QueueState(0, int(name != "messages")) for name in queues},
    )

    workers = client.get("/health/ready").json()["parts"]["workers"]

    assert workers == {"status": "failing", "reason": "no worker takes from: messages"}


def test_nobody_else_is_told_the_parts(settings: Settings, db: None, client: Client) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"operator_networks": ""})

    answer = client.get("/health/ready")

    assert answer.status_code == 200
    assert set(answer.json()) == {"status"}
