"""The log as it is stored."""

from dataclasses import dataclass

from applications.models import Application
from events.models import ApplicationEvent


@dataclass(frozen=True)
class Happened:
    """One event: what, where, to which messages, and the item's version."""

    type: str
    chat: int | None
    first: int = 0
    last: int = 0
    version: int = 1


def log_of(application: str) -> list[Happened]:
    """The events of the application at this path; fails if their numbers have a gap."""
    token = application.split("/")[2]
    events = list(ApplicationEvent.objects.filter(application_token=token).order_by("event_number"))
    numbers = [event.event_number for event in events]
    assert numbers == list(range(1, Application.objects.get(token=token).last_event + 1))
    return [
        Happened(
            event.type, event.chat_number, event.first_number, event.last_number, event.version
        )
        for event in events
    ]


def messages_in(log: list[Happened]) -> list[tuple[int, int]]:
    """The chat and number of each message that the log says was created."""
    return [
        (event.chat or 0, number)
        for event in log
        if event.type == "message.created"
        for number in range(event.first, event.last + 1)
    ]
