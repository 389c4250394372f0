"""Statements of the application that go to all shards: each is known, with its reason."""

import os
import re
import tomllib
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from tests.live.servers import eventually, manage
from tests.vitess.query_log import QueryLog

pytestmark = [pytest.mark.vitess, pytest.mark.django_db]

KNOWN = Path(__file__).with_name("scattered.toml")
LIMIT_S = 120
#: In what each shard is asked for a limited number of rows.
_LIMIT = re.compile(r"\blimit\b").search


def operate_by(*arguments: str, statuses: tuple[int, ...] = (0,)) -> None:
    """Run a command on the stack; its status is one of these."""
    done = manage(*arguments, environment=os.environ, within=LIMIT_S)
    assert done.returncode in statuses, done.stdout + done.stderr


def test_all_that_go_to_all_shards_are_known(query_log: QueryLog, tmp_path: Path) -> None:
    with httpx.Client(base_url=f"{os.environ['BASE_URL']}/api/v1", timeout=30) as http:
        token = used(http)
    operate(token, tmp_path)
    visit_admin()

    groups = tomllib.loads(KNOWN.read_text())["scattered"]
    listed = {one for group in groups for one in group["statements"]}
    limited = {one for group in groups if group["is_limited"] for one in group["statements"]}
    found = query_log.scattered()
    unlimited = {one for one, queries in found.items() if not all(map(_LIMIT, queries))}

    unknown = found.keys() - listed
    assert not unknown, "\n".join(sorted(unknown))
    assert not unlimited & limited, "\n".join(sorted(unlimited & limited))


def used(http: httpx.Client) -> str:
    """The token of an application with some of everything."""
    token = http.post("/applications", json={"name": "x"}, headers=key()).json()["token"]
    chats = f"/applications/{token}/chats"
    for _ in range(3):
        assert http.post(chats, json={"name": "x"}, headers=key()).status_code == 201
    messages = f"{chats}/1/messages"
    for _ in range(5):
        assert http.post(messages, json={"body": "good morning"}).status_code == 201
    many = {"messages": [{"body": "good evening", "sender": "ada"}] * 20}
    assert http.post(f"{messages}/bulk", json=many, headers=key()).status_code == 201
    assert http.put(f"{messages}/1", json={"body": "good night"}).is_success
    assert http.delete(f"{messages}/2").is_success
    assert http.put(f"/applications/{token}", json={"name": "y"}).is_success
    hooks = f"/applications/{token}/webhooks"
    hook = http.post(hooks, json={"url": "https://127.0.0.1:9/"}).json()
    for path in ("", "/chats", "/chats/1/messages?sender=ada", "/events", "/webhooks"):
        assert http.get(f"/applications/{token}{path}").is_success
    eventually(lambda: http.get(f"{messages}/search?query=morn").json()["results"], 30, "a hit")
    assert http.get(f"/applications/{token}/messages/search?query=even").is_success
    assert http.get("/applications").is_success
    assert http.delete(f"{hooks}/{hook['id']}").is_success
    return str(token)


def key() -> dict[str, str]:
    """An Idempotency-Key of its own."""
    return {"Idempotency-Key": token_hex(8)}


def operate(token: str, folder: Path) -> None:
    """Run each command of the operators."""
    export = folder / "export.jsonl"
    operate_by("sweep")
    operate_by("reconcile_counts", "--all")
    operate_by("export_conversations", token, "--output", str(export))
    operate_by("import_conversations", str(export))
    operate_by("dead_letters", "list")
    operate_by("webhooks", "list")
    operate_by("search", "check")
    operate_by("search", "rebuild")
    operate_by("purge", "--application", token, "--before", "2020-01-31")
    operate_by("erase", "--application", token, "--sender", "ada")
    operate_by("audit", statuses=(0, 1))


def visit_admin() -> None:
    """Open each list of the admin."""
    name, password = f"operator-{token_hex(4)}", token_hex(16)
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = password
    operate_by("createsuperuser", "--noinput", "--username", name, "--email", "x@example.com")
    with httpx.Client(base_url=os.environ["BASE_URL"], follow_redirects=True, timeout=30) as http:
        http.get("/admin/login/")
        fields = {
            "username": name,
            "password": password,
            "csrfmiddlewaretoken": http.cookies["csrftoken"],
        }
        http.post("/admin/login/", data=fields, headers={"Referer": os.environ["BASE_URL"]})
        for page in (
            *("applications/application", "chats/chat", "messages_app/message"),
            *("events/applicationevent", "webhooks/webhook", "ingest/deadletter"),
        ):
            assert http.get(f"/admin/{page}/").status_code == 200, page
