"""A lightly used, consistent installation."""

import pytest
from django.core.management import call_command

from tests.api.client import Api
from tests.audit.results import Place


@pytest.fixture
def used(api: Api) -> Place:
    """A chat of five messages, the second of two; the requests had keys, all is counted."""
    application = api.new_application()
    for number in (1, 2):
        api.post(f"{application}/chats", {"name": "x"}, **{"Idempotency-Key": f"chat-{number}"})
    chat = f"{application}/chats/2"
    for number in range(1, 6):
        key = {"Idempotency-Key": f"message-{number}"}
        api.post(f"{chat}/messages", {"body": f"message {number}"}, **key)
    api.say(f"{application}/chats/1", "elsewhere")
    call_command("reconcile_counts", "--json", stdout=None)
    return Place(application.split("/")[-1], 2)
