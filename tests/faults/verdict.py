"""What must be true of the stored rows after all that was answered.

A row that is pending is accounted for: the sweeper stores it when it is a minute old. Whatever was
answered 201 has to be in its table.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from core.redis import keys
from tests.faults.client import Chat
from tests.faults.database import authority, query
from tests.faults.load import Attempt, Load
from tests.faults.stack import redis_client
from tests.faults.waiting import until

#: Rows whose message was lost are a minute old before they are swept, which is done each minute.
STORED_WITHIN_SECONDS = 180


def judge(load: Load) -> None:
    """Nothing is lost, doubled or out of order; returns when all that was accepted is stored.

    Each chat is 1..N, unless another epoch has begun since the load was made: then numbers may be
    missing right below one with which numbering is known to have gone on.
    """
    until(lambda: not not_stored(load), "all is stored", STORED_WITHIN_SECONDS)
    _each_number_was_answered_once(load.accepted)
    _numbers_rise_for_each_client(load)
    _failures_are_honest(load.failed)
    sent = {attempt.body for attempt in load.journal}
    for chat in load.chats:
        pending = _pending(chat)  # first: a row goes from here into the table
        rows = stored(chat)
        bodies = Counter(rows.values())
        assert set(bodies) <= sent, f"in {chat} a stranger: {set(bodies) - sent}"
        assert not [body for body in bodies if bodies[body] > 1], f"stored twice in {chat}"
        missing = _missing_runs([0, *sorted({*rows, *pending})])
        known = _skips(chat) if authority() != load.authority else set()
        unknown = [run for run in missing if run[-1] + 1 not in known]
        assert not unknown, f"{chat}: unknown gaps {unknown}, known {known}"
        assert not dead_letters(chat.token), f"set aside: {dead_letters(chat.token)}"


def stored(chat: Chat) -> Mapping[int, str]:
    """The bodies of the stored messages by number."""
    rows = query(
        "SELECT message_number, body FROM messages WHERE application_token=%s AND chat_number=%s",
        *chat,
    )
    bodies = dict(rows)
    assert len(bodies) == len(rows)
    return bodies


def not_stored(load: Load) -> Sequence[Attempt]:
    """What was answered 201 and is not in its table."""
    rows = {chat: stored(chat) for chat in load.chats}
    return [done for done in load.accepted if rows[done.chat].get(done.number) != done.body]


def dead_letters(token: str) -> Sequence[tuple[str, str]]:
    """Key and reason of what was set aside under this token."""
    return query("SELECT `key`, reason FROM dead_letters WHERE `key` LIKE %s", f'%"{token}"%')


def _each_number_was_answered_once(accepted: Iterable[Attempt]) -> None:
    times = Counter((attempt.chat, attempt.number) for attempt in accepted)
    assert not [number for number in times if times[number] > 1], "answered twice"


def _numbers_rise_for_each_client(load: Load) -> None:
    for client, attempts in load.by_client().items():
        accepted = [attempt for attempt in attempts if attempt.is_accepted]
        for earlier, later in pairwise(accepted):
            assert earlier.number < later.number, f"client {client}: {earlier}, then {later}"


def _failures_are_honest(failed: Iterable[Attempt]) -> None:
    for attempt in failed:
        assert attempt.status in {0, 503}, attempt
        assert attempt.status == 0 or attempt.retry_after, f"no Retry-After: {attempt}"


def _missing_runs(numbers: Sequence[int]) -> list[range]:
    """The runs of numbers that are missing between these."""
    return [range(low + 1, high) for low, high in pairwise(numbers) if high > low + 1]


def _pending(chat: Chat) -> list[int]:
    with redis_client() as client:
        members = client.zrange(keys.pending(keys.parent_name(chat)), 0, -1, withscores=True)
    return [int(number) for _, number in members]


def _skips(chat: Chat) -> set[int]:
    rows = query(
        "SELECT resumed_at FROM number_skips WHERE application_token=%s AND chat_number=%s", *chat
    )
    return {resumed_at for (resumed_at,) in rows}
