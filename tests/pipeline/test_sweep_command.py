"""`manage.py sweep` and the scheduled task."""

import json

import pytest
from django.core.management import CommandError, call_command

from ingest.models import NumberAuthority
from operations import tasks
from tests.api.client import Api
from tests.pipeline.backlog import Backlog


def test_the_command_says_what_it_did(
    api: Api, backlog: Backlog, chat: str, capsys: pytest.CaptureFixture[str]
) -> None:
    api.say(chat, "x")
    backlog.grow_old(61)

    call_command("sweep", json=True)
    assert json.loads(capsys.readouterr().out) == {
        "stored": 1, "set_aside": 0, "left": 0, "is_complete": True, "is_drained": True,
    }  # fmt: skip
    call_command("sweep")
    assert "0 rows stored" in capsys.readouterr().out
    backlog.server.kill()
    with pytest.raises(CommandError, match="Redis is unavailable"):
        call_command("sweep")
    tasks.sweep()


def test_without_redis_there_is_nothing_to_do(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sweep")
    call_command("new_epoch")
    tasks.sweep()

    assert capsys.readouterr().out.count("Nothing to do without REDIS_URL") == 2
    assert not NumberAuthority.objects.exists()
