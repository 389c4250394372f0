"""No planted secret appears in any log, even when everything fails."""

import os
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import orjson
import pytest
from django.db import DataError, OperationalError
from pytest_django import Settings

from infra.logs import request_id_var
from infra.rabbitmq.publisher import task_message
from infra.redis_client import RedisUnavailable, ask_redis, forget_servers
from ingest.dead_letters.set_aside import set_aside
from ingest.idempotent_insert import store_rows
from ingest.message_format import read_message, write_message
from search.index.client import client as elasticsearch
from search.tasks import index
from tests.api.client import Api
from tests.live.servers import eventually
from tests.logs.conftest import SECRETS, Log
from tests.pipeline.queue import TestQueue
from tests.pipeline.worker import TestWorker
from tests.rows import new_chat, new_message
from tests.shards import ONLY

KEY, PASSWORD = SECRETS
BODY = "a body that was planted, über alles"
TOKEN = "a" * 24

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_request_id_goes_with_its_rows_through_the_queue(log: Log) -> None:
    token = request_id_var.set("request-1")
    rows = [new_message(TOKEN, 1, BODY).numbered(number) for number in (1, 2)]
    request_id_var.set("request-2")
    rows.append(new_message(TOKEN, 1, BODY).numbered(3))
    request_id_var.reset(token)

    received = read_message(write_message(rows)[1])
    assert received == rows
    assert [row.request_id for row in received] == ["request-1", "request-1", "request-2"]
    store_rows(received)
    store_rows(received)
    set_aside(new_chat(TOKEN, BODY, request_id="request-3").numbered(9), "a test")

    assert log.of("rows.known")[0]["request_ids"] == ["request-1", "request-2"]
    assert log.of("row.set_aside")[0]["request_id"] == "request-3"


def test_a_message_of_the_version_before_has_no_request_ids() -> None:
    _, body = write_message([new_message(TOKEN, 1, BODY).numbered(1)])
    [envelope], *rest = orjson.loads(body)
    del envelope["requests"]

    [row] = read_message(orjson.dumps([[envelope], *rest]))

    assert (row.values[0], row.request_id) == (BODY, "")


def test_a_request_that_succeeds_is_not_logged(api: Api, log: Log) -> None:
    chat = api.new_chat()
    api.say(chat, BODY)
    api.get(f"{chat}/messages")
    api.get(f"{chat}/messages/99")

    # A service that another test took away may be probed at any time.
    others = ("django.db", "infra.breaker", "urllib3")
    assert [line for line in log.lines if not line["logger"].startswith(others)] == []


@pytest.mark.parametrize(
    "error",
    [
        ValueError(BODY),
        DataError(1406, BODY),
        OperationalError(1366, f"Incorrect string value: '{BODY}'"),
        OperationalError(2002, f"Can't connect with {PASSWORD}"),
    ],
)
def test_a_request_that_fails(
    api: Api, log: Log, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    chat = api.new_chat()
    monkeypatch.setattr("applications.record_views.accept", fail)

    answer = api.post(f"{chat}/messages", {"body": BODY}, **{"X-Request-ID": "mine"})

    assert answer.status_code in (500, 503)
    [line] = [*log.of("request.failed"), *log.of("database.failed")]
    assert line["request_id"] == "mine"
    assert_nothing_is_told(log.text)


def test_services_that_are_away(log: Log, settings: Settings) -> None:
    secret = quote(PASSWORD, safe="")
    away = {
        "redis_url": f"redis://:{secret}@127.0.0.1:1/0",
        "elasticsearch_url": f"http://elastic:{secret}@127.0.0.1:1",
    }
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=away)
    forget_servers()
    elasticsearch.cache_clear()
    try:
        with pytest.raises(RedisUnavailable):
            ask_redis(ONLY, lambda server: server.ping())
        index()
    finally:
        forget_servers()
        elasticsearch.cache_clear()

    assert log.of("service.away")
    assert log.of("index.waits")
    assert_nothing_is_told(log.text)


@pytest.mark.stack
def test_a_worker_to_which_all_that_can_go_wrong_goes_wrong(tmp_path: Path) -> None:
    broker = urlsplit(os.environ["BROKER_URL"])
    with TestQueue() as queue:
        stranger = new_message(TOKEN, 1, BODY).numbered(1)
        too_long = new_message(f"{TOKEN} and on", 1, BODY, request_id="request-7").numbered(1)
        queue.put([new_message(TOKEN, 1, "x").numbered(1)], [stranger, too_long])
        queue.put_raw(*task_message("a.task.of.another.version", {"body": BODY}))
        queue.put_raw(*task_message("core.accept.tasks.store_rows", {"format": BODY}))
        queue.put_raw(*task_message("core.accept.tasks.store_rows", BODY, BODY))
        queue.put_raw({"id": str(uuid4())}, BODY.encode())
        settings = {
            "SECRET_KEY": KEY,
            "LOG_FORMAT": "json",
            "REDIS_URL": f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:1/0",
        }
        with TestWorker(queue, tmp_path, **settings) as worker:
            eventually(lambda: queue.ready() == 0, 60, "all is taken")
            eventually(lambda: worker.has_logged("request-7"), 30, "it is set aside")
            eventually(
                lambda: worker.log.read_text().count("message.refused") >= 3, 30, "all is refused"
            )
            worker.stop()
        said = worker.log.read_text()

    # Celery says by itself that it shuts down, and that it should not be root's.
    lines = [orjson.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {"row.set_aside", "message.refused", "service.away"} <= {one["event"] for one in lines}
    [aside] = [one for one in lines if one.get("request_id") == "request-7"]
    assert aside["event"] == "row.set_aside"
    assert_nothing_is_told(said)
    assert broker.password
    assert broker.password not in said


def assert_nothing_is_told(said: str) -> None:
    for secret in (KEY, PASSWORD, quote(PASSWORD, safe=""), BODY, BODY[:20], "über alles"):
        assert secret not in said
        assert orjson.dumps(secret).decode()[1:-1] not in said
