"""A row that the database rejects does not affect the other rows."""

from collections.abc import Iterator

import pytest

from chaos import stack
from chaos.database import query
from chaos.observed import dead_letters
from chaos.parent import Parent
from chaos.waiting import until
from tests.faults.verdict import stored

pytestmark = [pytest.mark.stack, pytest.mark.faults]


@pytest.fixture
def bad_token(chats: list[Parent]) -> Iterator[str]:
    """A token that no column takes; what was set aside under it is removed afterwards."""
    token = f"{chats[0].token} and longer"
    yield token
    query("DELETE FROM dead_letters WHERE `key` LIKE %s", f'%"{token}"%')


def test_a_bad_row_among_199_good_ones(chats: list[Parent], bad_token: str) -> None:
    chat = chats[0]

    stack.python("-m", "tests.faults.publish", chat.token, str(chat.number), bad_token)

    until(lambda: dead_letters(bad_token), "the bad row is set aside")
    [(_, reason)] = dead_letters(bad_token)
    assert "too long" in reason
    until(lambda: len(stored(chat)) == 199, "the others are stored")
    assert stored(chat) == {number: f"message {number}" for number in range(1, 200)}
    assert not dead_letters(chat.token)
