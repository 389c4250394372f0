"""How operators see pending rows."""

from django.test import Client

from tests.api.client import Api
from tests.operations.scrape import samples, total
from tests.pipeline.backlog import Backlog


def test_pending_rows_are_shown_with_their_age(backlog: Backlog, api: Api, client: Client) -> None:
    chat = api.new_chat()
    api.post(f"{chat}/messages", {"body": "x"})
    backlog.grow_old(100)

    found = samples(client.get("/metrics").content.decode())

    assert total(found, "chatsystem_up", {"service": "redis"}) == 1
    assert total(found, "chatsystem_pending_rows") == 2
    assert 100 <= total(found, "chatsystem_pending_age_seconds") < 200
