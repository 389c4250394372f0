"""How `/health/ready` reports failing parts, how soon, and to whom."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from api.request_metrics import recent_failures
from chatsystem import celery_app
from infra.database import try_database_write
from infra.models import Job
from infra.rabbitmq.connection import QueueState
from operations import schedule, tasks
from operations.health import status_of
from operations.models import ScheduledRun
from tests.api.client import Api
from tests.redis_server import RedisServer

SWEEP = "operations.tasks.sweep"
COUNTS = "operations.tasks.reconcile_counts"


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


def run_task(name: str) -> None:
    """Run it as a worker does, with its signals."""
    assert tasks  # their import registers them
    celery_app.tasks[name].apply()


def test_a_task_says_that_it_ran(two_tasks: None) -> None:
    ran(COUNTS, seconds_ago=9 * 3600)

    run_task(COUNTS)

    assert late() == []


def test_a_task_that_fails_has_not_run(two_tasks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(COUNTS, seconds_ago=9 * 3600)
    monkeypatch.setattr("operations.counts.reconcile", lambda: 1 / 0)

    run_task(COUNTS)

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


def refuse_writes(server: RedisServer) -> None:
    server.client().config_set("min-replicas-to-write", 1)


def lose_its_master(server: RedisServer) -> None:
    server.client().config_set("replica-serve-stale-data", "no")
    admin: Any = server.client()
    admin.execute_command("REPLICAOF", "127.0.0.1", "1")


def run_out_of_memory(server: RedisServer) -> None:
    server.client().config_set("maxmemory", 1)


@pytest.mark.parametrize("fault", [refuse_writes, lose_its_master, run_out_of_memory])
def test_a_redis_that_takes_no_writes_degrades(
    fault: Callable[[RedisServer], None],
    redis_server: RedisServer,
    transactional_db: None,
    client: Client,
) -> None:
    assert client.get("/health/ready").json()["parts"]["redis"] == {"status": "ok"}
    fault(redis_server)

    answer = client.get("/health/ready").json()

    assert answer["status"] == "degraded"
    assert answer["parts"]["redis"]["status"] == "failing"


@pytest.mark.parametrize(
    ("failing", "status"),
    [
        ((), "ok"),
        (("search_index",), "degraded"),
        (("database",), "down"),
        (("database_writes",), "degraded"),
        (("database_writes", "redis"), "down"),
        (("database_writes", "numbering"), "down"),
        (("database_writes", "rabbitmq"), "down"),
        (("redis", "rabbitmq"), "degraded"),
    ],
)
def test_the_service_is_down_where_creates_or_reads_do_not_work(
    failing: tuple[str, ...], status: str
) -> None:
    names = "database", "database_writes", "redis", "numbering", "rabbitmq", "search_index"
    parts = {name: {"status": "failing" if name in failing else "ok"} for name in names}

    assert status_of(parts) == status


def test_without_redis_creates_need_the_writes_of_the_database() -> None:
    assert status_of({"database": {"status": "ok"}, "database_writes": {"status": "no"}}) == "down"


def test_a_writer_at_work_is_no_fault(transactional_db: None) -> None:
    with transaction.atomic():
        Job.objects.create(name="at work")
        run_in_thread(try_database_write)


def run_in_thread(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(10)


def test_what_is_tried_leaves_nothing(transactional_db: None) -> None:
    run_in_thread(try_database_write)

    assert not Job.objects.filter(name__startswith="trial").exists()


@pytest.fixture
def hour(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass, for what requests have met."""
    now = [1000.0]
    monkeypatch.setattr(recent_failures, "_clock", lambda: now[0])
    monkeypatch.setattr(recent_failures, "_failed", {})

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def requests_part(client: Client) -> dict[str, str]:
    part: dict[str, str] = client.get("/health/ready").json()["parts"]["requests"]
    return part


@pytest.mark.parametrize(
    ("method", "kind"), [("post", "creates"), ("get", "reads"), ("patch", "edits")]
)
def test_requests_that_fail_again_and_again_degrade_whatever_the_reason(
    method: str,
    kind: str,
    api: Api,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    hour: Callable[[float], None],
) -> None:
    chat = api.new_chat()
    api.say(chat, "x")
    path = f"{chat}/messages" if method == "post" else f"{chat}/messages/1"
    body = () if method == "get" else ({"body": "x"},)

    def send() -> int:
        return getattr(api, method)(path, *body).status_code  # type: ignore[no-any-return]

    def fail(*_: object, **__: object) -> None:
        raise OperationalError(9999, "a reason that nobody foresaw")

    with monkeypatch.context() as failing:
        failing.setattr("applications.record_views.accept", fail)
        failing.setattr("applications.record_views.update", fail)
        failing.setattr("applications.record_views.get", fail)
        assert send() == 503
        assert requests_part(client) == {"status": "ok"}
        hour(4)
        assert send() == 503

        assert client.get("/health/ready").json()["status"] == "degraded"
        assert kind in requests_part(client)["reason"]

    hour(31)
    assert requests_part(client) == {"status": "ok"}, "nobody has met it again"
    assert send() in (200, 201)
    assert recent_failures.failing() == []


def test_one_success_ends_it(hour: Callable[[float], None]) -> None:
    path = "/api/v1/applications"
    recent_failures.note("POST", path, 503)
    hour(4)
    recent_failures.note("POST", path, 400)
    recent_failures.note("POST", path, 500)
    assert recent_failures.failing() == ["creates"]

    recent_failures.note("GET", path, 200)
    recent_failures.note("GET", "/health/ready", 503)
    recent_failures.note("GET", f"{path}/x/chats/1/messages/search", 503)
    assert recent_failures.failing() == ["creates"]
    recent_failures.note("POST", path, 201)
    assert recent_failures.failing() == []


def test_a_queue_without_workers_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, db: None, client: Client
) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"broker_url": "amqp://h//"})
    monkeypatch.setattr(
        "operations.probes.queue_states",
        lambda *queues: {name: QueueState(0, int(name != "messages")) for name in queues},
    )

    workers = client.get("/health/ready").json()["parts"]["workers"]

    assert workers == {"status": "failing", "reason": "no worker for: messages"}


def test_nobody_else_is_told_the_parts(settings: Settings, db: None, client: Client) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"operator_networks": ""})

    answer = client.get("/health/ready")

    assert answer.status_code == 200
    assert set(answer.json()) == {"status"}
