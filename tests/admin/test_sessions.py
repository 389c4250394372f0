"""An admin session expires after inactivity, and not earlier."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from chatsystem import env

HOUR = timedelta(hours=1)


def left() -> timedelta:
    """How long the one session lasts without being used."""
    return Session.objects.get().expire_date - timezone.now()


def set_left(time: timedelta) -> None:
    Session.objects.update(expire_date=timezone.now() + time)


def test_a_session_lasts_an_hour(admin_client: Client) -> None:
    assert HOUR - timedelta(minutes=1) < left() <= HOUR


def test_a_page_puts_off_its_end(admin_client: Client) -> None:
    set_left(timedelta(minutes=1))

    assert admin_client.get("/admin/").status_code == 200

    assert left() > HOUR - timedelta(minutes=1)


def test_one_that_was_not_used_for_so_long_is_over(admin_client: Client) -> None:
    set_left(-timedelta(seconds=1))

    answer = admin_client.get("/admin/")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")
    assert admin_client.get("/admin/dashboard/data").status_code == 302


@pytest.mark.parametrize("path", ["dashboard/data", f"conversations/{'0' * 24}/1/messages"])
def test_a_page_that_asks_by_itself_puts_off_nothing(admin_client: Client, path: str) -> None:
    set_left(timedelta(minutes=1))

    assert admin_client.get(f"/admin/{path}").status_code == 200
    assert left() < timedelta(minutes=2)

    admin_client.get("/admin/dashboard/")
    assert left() > HOUR - timedelta(minutes=1)


def test_what_needs_no_login_does_not_ask_for_one(admin_client: Client) -> None:
    set_left(timedelta(minutes=1))

    assert admin_client.get("/health/live").status_code == 200

    assert left() < timedelta(minutes=2)


def test_where_nothing_can_be_written_pages_are_shown(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_left(timedelta(minutes=1))

    def fail(*_: object, **__: object) -> int:
        raise OperationalError(1290, "The MariaDB server is running with --read-only")

    monkeypatch.setattr(QuerySet, "update", fail)

    assert admin_client.get("/admin/").status_code == 200


def test_how_long_is_a_setting(
    admin_client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESSION_IDLE_MINUTES", "5")
    settings.SESSION_COOKIE_AGE = 60 * env.read().session_idle_minutes
    set_left(timedelta(minutes=1))

    admin_client.get("/admin/")

    assert timedelta(minutes=4) < left() <= timedelta(minutes=5)
