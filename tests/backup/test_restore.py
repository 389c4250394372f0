"""After each restore of docs/backup.md no number repeats and the audit finds no error."""

from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from chats.models import Chat
from ingest.models import NumberAuthority, NumberSkip
from operations import restore
from operations.counts import reconcile
from tests.audit.results import audit
from tests.backup.procedure import Procedure
from tests.backup.story import MANY, Rows, Story, lacking, shared, stored
from tests.search.index import SearchIndex

pytestmark = pytest.mark.stack

#: More than any chat is given in these stories.
ENOUGH = 2000


def lose_and_put_back(story: Story, procedure: Procedure, *, database: bool, redis: bool) -> None:
    """All processes end, and one or both are as they were when they were copied."""
    story.backlog.end_process()
    if database:
        procedure.put_database_back()
    if redis:
        story.backlog.server.kill()
        procedure.put_redis_back()
        story.backlog.server.start()


def after_database(story: Story, procedure: Procedure, index: SearchIndex, skip: int) -> Rows:
    """The rest of the page; what existed before it, and is to exist for ever."""
    story.backlog.work()
    existing = story.existing()
    procedure.number_on(skip)
    procedure.rebuild_index()
    index.keep_up()
    said = procedure.check()
    assert "\n0 errors" in said, said
    return existing


def judge(
    story: Story, index: SearchIndex, existing: Rows, *, away: frozenset[str] = frozenset()
) -> None:
    """Life goes on: nothing of what existed is gone, and no number is given again that ever was.

    An audit finds no error, but for what is `away`.
    """
    new = story.goes_on()
    index.keep_up()
    reconcile()
    assert new
    assert not lacking(existing, stored())
    assert not lacking(new, stored())
    assert not shared(new, existing)
    assert not shared(new, story.answered)
    result = audit()
    errors = {check for check, severity in result.sorts if severity == "error"}
    assert errors == away, result.findings


class TestBoth:
    """Database and Redis are put back, and what was queued is lost."""

    def test_of_one_moment(self, story: Story, procedure: Procedure, index: SearchIndex) -> None:
        procedure = replace(procedure, in_process=False)
        procedure.back_up()
        accepted = story.existing()
        self.lose(story, procedure)

        existing = after_database(story, procedure, index, ENOUGH)

        assert not lacking(accepted, existing)
        judge(story, index, existing)

    def test_of_two_moments_redis_first(
        self, story: Story, procedure: Procedure, index: SearchIndex
    ) -> None:
        procedure.back_up_redis()
        accepted = story.existing()
        story.say(MANY)
        story.backlog.work()
        procedure.back_up_database()
        self.lose(story, procedure)

        existing = after_database(story, procedure, index, ENOUGH)

        assert not lacking(accepted, existing)
        judge(story, index, existing)

    def test_of_two_moments_redis_last(
        self, story: Story, procedure: Procedure, index: SearchIndex
    ) -> None:
        procedure.back_up_database()
        story.say(MANY)
        story.backlog.work()
        procedure.back_up_redis()
        self.lose(story, procedure)

        judge(story, index, after_database(story, procedure, index, ENOUGH))

    @staticmethod
    def lose(story: Story, procedure: Procedure) -> None:
        """Time goes by, then all is lost."""
        story.make_chats(1)
        story.say(3 * MANY)
        story.backlog.work()
        story.say(2)
        story.backlog.rows.clear()
        lose_and_put_back(story, procedure, database=True, redis=True)


class TestDatabaseAlone:
    """Redis keeps what is newer: blocks, pending rows, what it was asked."""

    @pytest.fixture
    def newer(self, story: Story, procedure: Procedure) -> Story:
        """The database is that of long ago; some rows pend, one half of them is queued too.

        The last ones were stored, and nothing of them is left but the blocks in Redis.
        """
        procedure.back_up_database()
        story.make_chats(1)
        story.say(2 * MANY)
        story.backlog.work()
        story.say_and_lose_the_last(4)
        story.backlog.rows[:] = story.backlog.rows[::2]
        lose_and_put_back(story, procedure, database=True, redis=False)
        return story

    def test_redis_gives_no_number_again(
        self, newer: Story, procedure: Procedure, index: SearchIndex
    ) -> None:
        before = newer.existing()

        existing = after_database(newer, procedure, index, 0)

        assert not lacking(before, existing)
        judge(newer, index, existing)

    def test_the_database_does_neither(
        self, newer: Story, procedure: Procedure, index: SearchIndex
    ) -> None:
        existing = after_database(newer, procedure, index, 0)
        newer.backlog.server.kill()

        judge(newer, index, existing, away=frozenset({"unreachable"}))

    def test_a_request_that_is_lost_is_done_again(
        self, newer: Story, procedure: Procedure, index: SearchIndex
    ) -> None:
        chat, key = newer.chats[0], {"Idempotency-Key": "lost"}
        lost = newer.api.post(f"{chat}/messages", {"body": "lost"}, **key).json()
        newer.backlog.work()
        lose_and_put_back(newer, procedure, database=True, redis=False)
        after_database(newer, procedure, index, 0)

        again = newer.api.post(f"{chat}/messages", {"body": "lost"}, **key)

        assert again.status_code == 201
        assert "Idempotency-Replayed" not in again
        assert again.json()["message_number"] > lost["message_number"]


class TestRedisLost:
    """With the database put back nobody knows what was given, and so `SKIP` says it."""

    def test_numbers_go_on_above_all_that_were_answered(
        self, story: Story, procedure: Procedure, index: SearchIndex
    ) -> None:
        procedure.back_up_database()
        story.make_chats(1)
        story.say(3 * MANY)
        story.backlog.work()
        story.say_and_lose_the_last(2)
        story.backlog.server.wipe()
        lose_and_put_back(story, procedure, database=True, redis=False)
        queued = story.existing()

        existing = after_database(story, procedure, index, ENOUGH)

        assert not lacking(queued, existing)
        judge(story, index, existing)


class TestRedisAlone:
    """The database is newer, and knows every number that was lent."""

    def test_put_back(self, story: Story, procedure: Procedure, index: SearchIndex) -> None:
        procedure = replace(procedure, in_process=False)
        procedure.back_up_redis()
        story.make_chats(1)
        story.say(MANY)
        story.backlog.work()
        story.say(2)
        lose_and_put_back(story, procedure, database=False, redis=True)
        existing = story.existing()

        index.keep_up()
        procedure.go_on_with_redis()
        story.backlog.work()

        judge(story, index, existing)


def test_nothing_is_done_while_a_server_gives_numbers(
    story: Story, procedure: Procedure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "RESTORE_QUIET_SECONDS", 0.5)

    def epochs() -> list[int | None]:
        return [
            NumberAuthority.objects.get().epoch,
            *Chat.objects.values_list("lease_epoch", flat=True),
        ]

    before = epochs()

    with pytest.raises(CommandError, match="stop all web servers"):
        call_command("new_epoch", "--restored", "--skip", "5")

    assert epochs() == before
    # This process gives numbers, and may renew a lease meanwhile: nothing else raises a ceiling.
    for ceiling, lent in Chat.objects.values_list("number_ceiling", "lease_last"):
        assert ceiling == lent
    assert not NumberSkip.objects.exists()
