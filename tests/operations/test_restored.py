"""A restored database without Redis: only the operator knows that higher numbers were given."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from ingest.models import NumberSkip
from ingest.read_your_writes import Window
from operations import restore
from operations.management.commands.new_epoch import MAX_SKIP
from retention.purge import purge
from search.service import Criteria, Scan
from tests.api.client import Api
from tests.audit.results import audit
from tests.conversations.runs import exported, said_in

pytestmark = pytest.mark.both


@dataclass(frozen=True)
class Cost:
    """The statements of an export and of an audit without errors, and the bodies exported."""

    lines: list[str]
    export: int
    audit: int


def _cost(application: str) -> Cost:
    _, _, token = application.rpartition("/")
    with CaptureQueriesContext(connection) as of_export:
        lines = [one for _, _, one in said_in(exported(token))]
    with CaptureQueriesContext(connection) as of_audit:
        assert audit().ok
    return Cost(lines, len(of_export), len(of_audit))


@pytest.mark.usefixtures("transactional_db")
class TestSkip:
    """`new_epoch --restored --skip N`."""

    @pytest.fixture(autouse=True)
    def in_no_hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """There is no worker that could hold anything."""
        monkeypatch.setattr(restore, "WORKER_HOLDS_SECONDS", 0)

    def test_each_parent_numbers_on_so_much_higher(self, api: Api) -> None:
        application = api.new_application()
        chat = api.new_chat(application)
        api.say(chat, *"abc")

        call_command("new_epoch", "--restored", "--skip", "5")

        assert api.say(chat, "d") == [9]
        assert api.new_chat(application).endswith("/chats/7")
        assert NumberSkip.objects.count() == 2
        call_command("reconcile_counts")
        assert audit().ok

    @pytest.mark.parametrize("skip", [100_000, MAX_SKIP])
    def test_what_reads_everything_costs_what_there_is(self, api: Api, skip: int) -> None:
        application = api.new_application()
        chats = [api.new_chat(application) for _ in range(5)]
        for chat in chats:
            api.say(chat, *"ab")
        before = _cost(application)

        call_command("new_epoch", "--restored", "--skip", str(skip))
        right_after = _cost(application)
        for chat in [*chats, api.new_chat(application)]:
            api.say(chat, *"cd")
        call_command("reconcile_counts")
        later = _cost(application)

        assert before.lines == list("ab") * 5
        assert right_after.lines == before.lines
        assert later.lines == [*"abcd"] * 5 + [*"cd"]
        # Where a chat is spread, it is looked for and read by itself; 5 chats are, of 6.
        assert right_after.export <= before.export + 2 * 5
        assert right_after.audit <= before.audit + 4 * 6
        assert later.export <= before.export + 8 * 6
        assert later.audit <= before.audit + 60 * 7

    def test_what_lies_behind_a_skip_is_purged(self, api: Api) -> None:
        chat = api.new_chat()
        api.say(chat, *"ab")
        call_command("new_epoch", "--restored", "--skip", str(MAX_SKIP))
        api.say(chat, *"cd")

        with CaptureQueriesContext(connection) as queries:
            purged = purge([chat.split("/")[2]], timezone.now() + timedelta(hours=1))

        assert purged.messages == 4
        assert api.get(f"{chat}/messages").json()["results"] == []
        assert len(queries) < 100
        call_command("reconcile_counts")
        assert audit().ok

    def test_a_small_chat_is_still_searched_without_the_index(
        self, api: Api, settings: Settings
    ) -> None:
        chat = api.new_chat()
        api.say(chat, *"aba")
        call_command("new_epoch", "--restored", "--skip", "100000")
        api.say(chat, "ab")
        _, _, token, _, number = chat.split("/")

        def hits(most: int) -> list[int]:
            update = {"scanned_messages": most}
            settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=update)
            criteria = Criteria((token, int(number)), "b")
            return list(Scan(criteria).numbers(Window(limit=50)))

        assert hits(4) == [2, 100_004]
        assert hits(3) == [2]

    def test_without_one_numbers_go_on(self, api: Api) -> None:
        chat = api.new_chat()
        api.say(chat, "a")

        call_command("new_epoch", "--restored")

        assert api.say(chat, "b") == [2]


@pytest.mark.parametrize("skip", ["-1", "1.5", "x", "9" * 20])
def test_a_skip_that_is_no_number_is_refused(skip: str) -> None:
    with pytest.raises(CommandError, match="a number from 0 to"):
        call_command("new_epoch", "--restored", f"--skip={skip}")


def test_a_skip_is_for_a_restore_only() -> None:
    with pytest.raises(CommandError, match="needs --restored"):
        call_command("new_epoch", "--skip", "5")
