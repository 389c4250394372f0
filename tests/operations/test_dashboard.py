"""The dashboard is drawn from samples, whichever service is down."""

import os
import platform
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.schedules import crontab
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client import values
from pytest_django import Settings

from infra import prometheus_multiprocess
from ingest.metrics import ACCEPTED
from operations import sampler, schedule
from operations.models import Sample
from tests.api.problems import assert_problem
from tests.redis_server import RedisServer

ACCEPT = "Rows accepted, and rows stored by workers and sweeper"


@pytest.fixture
def staff(db: None, settings: Settings) -> Client:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    client = Client()
    client.force_login(User.objects.create_user("staff", is_staff=True))
    return client


def shown(client: Client) -> Any:
    answer = client.get("/admin/dashboard/data")
    assert answer.status_code == 200
    return answer.json()


def line(client: Client, title: str, name: str) -> list[float | None]:
    [plot] = [plot for plot in shown(client)["plots"] if plot["title"] == title]
    [values] = [line["y"] for line in plot["lines"] if line["name"] == name]
    return list(values)


def seen(seconds_ago: int, host: str = "a", **figures: dict[str, float]) -> None:
    Sample.objects.create(
        host=host,
        instant=timezone.now().replace(microsecond=0) - timedelta(seconds=seconds_ago),
        figures={f"chatsystem_{name}": values for name, values in figures.items()},
    )


def test_a_sample_holds_what_is_drawn(db: None) -> None:
    now = datetime.now(UTC)

    sampler.take_sample(now)

    sample = Sample.objects.get()
    assert sample.host == prometheus_multiprocess.identity()
    assert timedelta() <= now - sample.instant < timedelta(seconds=sampler.EVERY_SECONDS)
    assert sample.figures["chatsystem_up"] == {"database": 1}
    assert sample.figures["chatsystem_dead_letters"] == {"": 0}


def test_of_the_processes_of_a_host_one_samples_each_instant(db: None) -> None:
    now = datetime(2026, 1, 1, 12, 0, 3, tzinfo=UTC)

    sampler.take_sample(now)
    sampler.take_sample(now + timedelta(seconds=5))
    assert Sample.objects.count() == 1

    sampler.take_sample(now + timedelta(seconds=10))
    assert Sample.objects.count() == 2


def test_containers_that_share_their_counters_take_one_sample(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 1, 1, 12, 0, 3, tzinfo=UTC)
    monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue())

    def sample_from(container: str, directory: str) -> int:
        (tmp_path / directory).mkdir(exist_ok=True)
        monkeypatch.setenv(prometheus_multiprocess.VARIABLE, str(tmp_path / directory))
        monkeypatch.setattr(platform, "node", lambda: container)
        sampler.take_sample(now)
        return Sample.objects.count()

    assert sample_from("web-1", "shared") == 1
    assert sample_from("web-2", "shared") == 1
    assert sample_from("web-2", "of its own") == 2


def test_processes_that_count_for_themselves_each_take_a_sample(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 1, 1, 12, 0, 3, tzinfo=UTC)
    monkeypatch.delenv(prometheus_multiprocess.VARIABLE, raising=False)
    for process in (1, 2, 2):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        sampler.take_sample(now)

    assert Sample.objects.count() == 2


def test_old_samples_and_those_of_a_wrong_clock_go(db: None) -> None:
    seen(3 * 3600)
    seen(-3 * 3600)
    seen(60)

    sampler.take_sample(datetime.now(UTC))

    assert Sample.objects.count() == 2


def test_samples_of_a_busy_process_show_its_rate(staff: Client) -> None:
    now = datetime.now(UTC) - timedelta(seconds=sampler.EVERY_SECONDS)
    sampler.take_sample(now)
    ACCEPTED.labels("database").inc(50)
    sampler.take_sample(now + timedelta(seconds=sampler.EVERY_SECONDS))

    assert line(staff, ACCEPT, "accepted") == [50 / sampler.EVERY_SECONDS]


def test_rates_are_those_of_all_hosts_through_restarts_and_gaps(staff: Client) -> None:
    seen(200, rows_accepted_total={"queue": 1000})
    seen(40, rows_accepted_total={"queue": 10, "insert": 5})
    seen(30, rows_accepted_total={"queue": 110, "insert": 5})
    seen(20, rows_accepted_total={"queue": 50})
    seen(40, host="b", rows_accepted_total={"queue": 0})
    seen(30, host="b", rows_accepted_total={"queue": 20})

    assert line(staff, ACCEPT, "accepted") == [12, 5]


def test_gauges_are_drawn_as_they_were_seen(staff: Client) -> None:
    seen(30, queue_messages={"chats": 1, "messages": 7}, pending_rows={"": 9})
    seen(20, queue_messages={"chats": 0, "messages": 8})

    assert line(staff, "Queues", "messages") == [7, 8]
    assert line(staff, "Pending rows", "pending") == [9]


def test_where_nothing_was_sampled_a_line_is_broken(staff: Client) -> None:
    for seconds_ago, letters in ((3000, 1), (2980, 2), (400, 3), (200, 4), (190, 5)):
        seen(seconds_ago, dead_letters={"": letters})

    assert line(staff, "Dead letters", "set aside") == [1, 2, None, 3, None, 4, 5]


def test_a_service_that_does_not_answer_breaks_its_line_alone(staff: Client) -> None:
    for seconds_ago in range(100, 0, -10):
        is_away = 30 <= seconds_ago <= 60
        queues = {} if is_away else {"messages": 7.0}
        seen(seconds_ago, pending_rows={"": 1}, queue_messages=queues)

    assert line(staff, "Queues", "messages") == [7, 7, 7, 7, None, 7, 7]
    assert line(staff, "Pending rows", "pending") == [1] * 10


@pytest.mark.parametrize("samples", [0, 1])
def test_an_hour_is_shown_however_few_the_samples(samples: int, staff: Client) -> None:
    for _ in range(samples):
        seen(10, pending_rows={"": 1})

    begin, end = map(datetime.fromisoformat, shown(staff)["shown"])
    assert end - begin == timedelta(hours=1)
    assert abs(datetime.now(UTC) - end) < timedelta(minutes=1)


def test_services_are_as_the_last_sample_saw_them(staff: Client) -> None:
    seen(10, up={"database": 1, "redis": 0}, breaker_open={"redis": 2})

    assert shown(staff)["services"] == [
        ["database", "up", ""],
        ["redis", "down", "open in 2 processes"],
    ]


def test_an_old_sample_says_nothing_of_now(staff: Client) -> None:
    seen(300, up={"database": 1})

    assert shown(staff)["services"] == []


def test_the_schedule_is_listed(
    staff: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_watching_since", timezone.now())  # the tests may run longer
    settings.CELERY_BEAT_SCHEDULE = {
        "sweep": {"task": "operations.tasks.sweep", "schedule": 60},
        "check-index": {"task": "search.tasks.check", "schedule": crontab(hour=4, minute=0)},
    }

    assert shown(staff)["schedule"] == [
        ["sweep", "every 60 s", "not yet", "on time"],
        ["check-index", "cron 0 4 * * *, UTC", "not yet", "on time"],
    ]


def test_the_page_has_its_script_from_here_and_nothing_inline(staff: Client) -> None:
    page = staff.get("/admin/dashboard/")

    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    text = page.content.decode()
    for path in ("/static/plotly/plotly.min.js", "/static/operations/dashboard.js"):
        assert f'src="{path}"' in text
        with closing(staff.get(path)) as script:
            assert script.status_code == 200
    assert text.count("<script") == text.count("<script src=")
    assert "://" not in text.replace("http://www.w3.org", "")


def test_the_admins_index_leads_there(staff: Client) -> None:
    assert 'href="/admin/dashboard/"' in staff.get("/admin/").content.decode()


@pytest.mark.parametrize("path", ["/admin/dashboard/", "/admin/dashboard/data"])
def test_it_is_for_the_staff(path: str, db: None, client: Client) -> None:
    assert client.get(path).status_code == 302

    client.force_login(User.objects.create_user("somebody"))
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("path", ["/admin/dashboard/", "/admin/dashboard/data"])
def test_without_the_database_it_says_so(path: str, staff: Client) -> None:
    staff.raise_request_exception = False

    def fail(*_: object) -> None:
        raise OperationalError(2002, "Can't connect to server on '10.0.0.5'")

    with connection.execute_wrapper(fail):
        answer = staff.get(path)

    assert_problem(answer, 503)
    assert answer.headers["Retry-After"]
    assert answer.json()["detail"] == "The database is unavailable."
    assert b"10.0.0.5" not in answer.content


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_it_works_within_a_second_without_redis(
    fault: str, redis_server: RedisServer, transactional_db: None, staff: Client
) -> None:
    sampler.take_sample(datetime.now(UTC) - timedelta(seconds=sampler.EVERY_SECONDS))
    getattr(redis_server, fault)()

    for path in ("/admin/dashboard/", "/admin/dashboard/data"):
        began = time.monotonic()
        assert staff.get(path).status_code == 200
        assert time.monotonic() - began < 1

    sampler.take_sample(datetime.now(UTC))
    assert ["redis", "down"] in [service[:2] for service in shown(staff)["services"]]
