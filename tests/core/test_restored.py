"""A restored database without a Redis: nobody but the operator knows of more numbers."""

import pytest
from django.core.management import CommandError, call_command

from core.numbering.models import NumberSkip
from core.restoring import quiet
from tests.api.client import Api
from tests.audit.results import audit


@pytest.mark.usefixtures("transactional_db")
class TestSkip:
    """`new_epoch --restored --skip N`."""

    @pytest.fixture(autouse=True)
    def in_no_hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """There is no worker that could hold anything."""
        monkeypatch.setattr(quiet, "WORKER_HOLDS_SECONDS", 0)

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
