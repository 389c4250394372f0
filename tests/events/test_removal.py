"""Old events are removed, the lowest numbers first, and a restore begins all logs anew."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from applications.models import Application
from events import removal
from events.models import ApplicationEvent
from events.tasks import remove_old
from tests.api.client import Api
from tests.events.rows import log_of

pytestmark = [pytest.mark.both, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a transaction remove three events."""
    monkeypatch.setattr(removal, "ROWS", 3)


@pytest.fixture
def application(api: Api) -> str:
    """Ten events, eight days old but for the last two."""
    application = api.new_application()
    api.say(api.new_chat(application), *map(str, range(9)))
    old = ApplicationEvent.objects.filter(event_number__lte=8)
    old.update(created_at=timezone.now() - timedelta(days=8))
    return application


def numbers() -> list[int]:
    rows = ApplicationEvent.objects.order_by("event_number")
    return list(rows.values_list("event_number", flat=True))


def test_old_events_are_removed(application: str) -> None:
    remove_old()

    assert numbers() == [9, 10]


def test_nothing_is_removed_if_all_is_to_be_kept(application: str, settings: Settings) -> None:
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"events_days": 0})

    remove_old()

    assert numbers() == list(range(1, 11))


def test_a_removal_that_is_interrupted_leaves_no_hole(application: str) -> None:
    steps = removal.remove_before(timezone.now() - timedelta(days=7))

    assert next(steps) == 3
    assert numbers() == list(range(4, 11))
    assert sum(removal.remove_before(timezone.now() - timedelta(days=7))) == 5


def test_after_a_restore_no_number_is_given_again(api: Api, application: str) -> None:
    removal.restart_logs()
    api.say(f"{application}/chats/1", "next")

    [number] = numbers()
    assert number > 10
    assert Application.objects.get().last_event == number
    assert api.get(f"{application}/events", after=10).status_code == 410
    assert len(api.get(f"{application}/events", after=number - 1).json()["results"]) == 1


def test_numbers_go_on_after_a_removal(api: Api) -> None:
    application = api.new_application()
    chat = api.new_chat(application)
    ApplicationEvent.objects.update(created_at=timezone.now() - timedelta(days=8))
    remove_old()

    api.say(chat, "next")

    assert numbers() == [2]
    with pytest.raises(AssertionError):
        log_of(application)  # which requires the first event
