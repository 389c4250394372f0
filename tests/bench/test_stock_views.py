"""The stock views answer the requests that loads send them."""

import json
from pathlib import Path
from typing import Any

from bench.product import Chat
from bench.rivals.designs import STOCK_MIXED
from bench.routes import PAGE, Asker
from tests.bench.rival_process import run_as

MESSAGES = 120
TOKEN = "a" * 24
ANSWER = f"""
import django, json, sys, uuid
django.setup()
from django.db import connection
from django.test import Client
from bench.rivals.models import StoredMessage
with connection.schema_editor() as editor:
    editor.create_model(StoredMessage)
StoredMessage._default_manager.bulk_create(
    StoredMessage(
        application_token="{TOKEN}",
        chat_number=1,
        message_number=number,
        body=f"body {{number}}",
        acceptance=uuid.uuid4(),
    )
    for number in range(1, {MESSAGES} + 1)
)
client = Client(SERVER_NAME="127.0.0.1")
for method, path, body in json.loads(sys.argv[1]):
    send = getattr(client, method.lower())
    answer = send(path, body, content_type="application/json") if body else send(path)
    print(json.dumps([answer.status_code, answer.json()]))
"""


def _answers(tmp_path: Path, *routes: str) -> list[tuple[Any, dict[str, Any]]]:
    """The request to each route, and the document that answers it with 200."""
    asker = Asker([Chat(TOKEN, 1)], MESSAGES, is_stock=True)
    requests = [asker.requests(route, 1)[0] for route in routes]
    sent = json.dumps([request[:3] for request in requests])
    database = tmp_path / "rows.sqlite3"
    printed = run_as(STOCK_MIXED.name, ANSWER, sent, has_index=True, database=database)
    answers = list(map(json.loads, printed.splitlines()))
    assert [status for status, _ in answers] == [200] * len(routes)
    return [(one, document) for one, (_, document) in zip(requests, answers, strict=True)]


def test_each_route_shows_what_was_asked_for(tmp_path: Path) -> None:
    item, page, newest, edit = _answers(tmp_path, "item", "page", "newest", "edit")

    assert item[1]["body"] == f"body {item[0].path.rpartition('/')[2]}"
    first = page[1]["results"][0]["message_number"]
    numbers = [one["message_number"] for one in page[1]["results"]]
    assert numbers == list(range(first, first + PAGE))
    numbers = [one["message_number"] for one in newest[1]["results"]]
    assert numbers == list(range(MESSAGES, MESSAGES - PAGE, -1))
    assert edit[1]["body"] == edit[0].body["body"]
