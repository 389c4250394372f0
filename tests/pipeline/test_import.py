"""An import while Redis gives the numbers: it takes none that a client has or may get."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.client import Api
from tests.audit.results import audit
from tests.conversations.runs import run_import
from tests.pipeline.backlog import Backlog, stored

pytestmark = pytest.mark.django_db(transaction=True)


def import_lines(folder: Path, *numbers: int) -> dict[str, Any]:
    """The result of an import of messages with these numbers, one more at each call."""
    lines: list[dict[str, Any]] = [
        {"type": "application", "name": "a"},
        {"type": "chat", "chat_number": 5, "name": "c"},
        *(
            {"type": "message", "chat_number": 5, "message_number": number, "body": str(number)}
            for number in numbers
        ),
    ]
    file = folder / "export.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return run_import(file).result


def test_clients_continue_above_what_was_imported(
    api: Api, backlog: Backlog, tmp_path: Path
) -> None:
    [share] = import_lines(tmp_path, 3, 4)["applications"]
    application = f"/applications/{share['token']}"

    assert api.say(f"{application}/chats/5", "next", "one") == [5, 6]
    assert api.new_chat(application) == f"{application}/chats/6"
    backlog.work()

    assert stored() == [3, 4, 5, 6]
    assert audit().ok


def test_a_chat_that_redis_numbers_gets_no_more_of_the_import(
    api: Api, backlog: Backlog, tmp_path: Path
) -> None:
    """Redis has 128 numbers of it, and would give one below an imported one."""
    [share] = import_lines(tmp_path, 3, 4)["applications"]
    chat = f"/applications/{share['token']}/chats/5"
    assert api.say(chat, "mine") == [5]

    result = import_lines(tmp_path, 3, 4, 5, 6, 200)

    assert (result["messages"], result["rejected"], result["skipped"]) == (0, 3, 4)
    assert api.say(chat, "mine too") == [6]
    backlog.work()
    assert stored() == [3, 4, 5, 6]
    assert audit().ok
