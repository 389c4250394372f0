"""The conditions that the stored rows must meet, given all responses.

A pending row counts as safe: the sweeper stores it when it is a minute old. Every row that was
answered 201 must reach its table.
"""

from collections.abc import Sequence

from chaos import observed, verdict
from chaos.database import authority
from chaos.evidence import Evidence
from chaos.journal import Attempt
from chaos.observed import dead_letters
from chaos.parent import Parent
from chaos.stack import redis_client
from chaos.waiting import until
from ingest import redis_keys
from ingest.message_format import read_member
from tests.faults.load import Load

#: Rows whose message was lost are a minute old before they are swept, which is done each minute.
STORED_WITHIN_SECONDS = 180


def judge(load: Load) -> None:
    """Assert that no row is lost, duplicated or out of order, once all accepted rows are stored.

    Each chat is 1..N, unless a new epoch has begun since the load was made. Then numbers may be
    missing directly below a recorded skip.
    """
    until(lambda: not not_stored(load), "all is stored", STORED_WITHIN_SECONDS)
    pending = {chat: _pending(chat) for chat in load.chats}  # first: rows go from here to the table
    rows = {chat: pending[chat] | stored(chat) for chat in load.chats}
    skips = observed.skips({chat.token for chat in load.chats})
    evidence = Evidence(load.journal, rows, skips if authority() != load.authority else {})
    assert not verdict.judge(evidence)
    for token in {chat.token for chat in load.chats}:
        assert not dead_letters(token), f"set aside: {dead_letters(token)}"


def stored(chat: Parent) -> dict[int, str]:
    """The bodies of the stored messages by number."""
    return dict(observed.stored([chat.token]).get(chat, {}))


def not_stored(load: Load) -> Sequence[Attempt]:
    """The accepted creates whose rows are not in their tables."""
    rows = observed.stored({chat.token for chat in load.chats})
    return [
        done
        for done in load.accepted
        if rows.get(done.request.parent, {}).get(done.number) != done.request.texts[0]
    ]


def _pending(chat: Parent) -> dict[int, str]:
    """The bodies of the pending messages by number."""
    with redis_client() as client:
        members = client.zrange(redis_keys.pending(redis_keys.parent_name(chat)), 0, -1)
    rows = [read_member(chat, member).row for member in members]
    return {row.number: str(row.values[0]) for row in rows}
