"""Every response contains exactly the described fields."""

from pathlib import Path
from typing import Any

import yaml

from tests.api.client import Api

DESCRIPTION = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi.yaml"


def test_every_field_is_described_and_no_other(api: Api) -> None:
    created = api.post("/applications", {"name": "an application"}).json()
    application = f"/applications/{created['token']}"
    chat = api.new_chat(application)
    api.say(chat, "hello")
    many = api.post(f"{chat}/messages/bulk", {"messages": [{"body": "hello"}]}).json()
    api.delete(f"{chat}/messages/2")
    api.put(application, {"name": "another"})
    shown = {
        "NewApplicationShape": created,
        "ApplicationShape": api.get(application).json(),
        "ChatShape": api.get(chat).json(),
        "MessageShape": api.get(f"{chat}/messages/2").json(),
        "MessagePage": api.get(f"{chat}/messages").json(),
        "BulkCreatedShape": many,
        "HitShape": api.get(f"{chat}/messages/search", query="hell").json()["results"][0],
        "EventShape": {
            name for entry in api.get(f"{application}/events").json()["results"] for name in entry
        },
        "EventPage": api.get(f"{application}/events").json(),
        "ProblemShape": api.get(f"{chat}/messages/9").json(),
    }

    assert {name: set(answer) for name, answer in shown.items()} == _described(shown)


def _described(names: Any) -> dict[str, set[str]]:
    shapes = yaml.safe_load(DESCRIPTION.read_text())["components"]["schemas"]
    return {name: set(shapes[name]["properties"]) for name in names}
