"""Whether what was answered to wrk is stored.

wrk does not tell which numbers it was given, so the numbers are judged as a whole: 1 to N, each
once, and N at most by the requests more than the answers that wrk did not wait for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench import product
from bench.database import Statements
from bench.errors import BenchError
from bench.product import Chat
from bench.rounds import Round
from bench.waiting import wait_until

_COMPLETE_WITHIN_SECONDS = 120.0


@dataclass(frozen=True)
class Checked:
    """What agreed: up to `unknown` rows may be stored that were not seen to be answered."""

    answered: int
    stored: int
    unknown: int


def until_complete(database: Statements, chat: Chat, within: float) -> None:
    """Return when it holds numbers 1 to N, each once. Raises BenchError after so many seconds.

    A request that wrk did not wait for may have its number and still be queued.
    """
    wait_until(
        lambda: product.stored(database, chat).has_every_number_once,
        within,
        f"chat {chat.token}/{chat.number} holds numbers 1 to N, each once",
        every=1,
    )


def check_chat(
    database: Statements, chat: Chat, rounds: Sequence[Round], connections: int
) -> Checked:
    """Print what is stored and what was answered. Raises BenchError when they do not agree."""
    until_complete(database, chat, _COMPLETE_WITHIN_SECONDS)
    stored = product.stored(database, chat)
    answered = sum(each.load.answered for each in rounds)
    # At wrk's end, or on a connection that broke, or without an outcome.
    unknown = sum(connections + each.load.broken + each.load.refused for each in rounds)
    print(
        f"answered 201: {answered}; stored: {stored.rows} rows, numbers {stored.lowest} to"
        f" {stored.highest}, {stored.distinct} distinct; {stored.rows - answered} more than"
        f" answered, {unknown} could be (wrk's connections at the end of {len(rounds)} runs)"
    )
    if not answered <= stored.rows <= answered + unknown:
        raise BenchError("what is stored does not match what was answered")
    return Checked(answered, stored.rows, unknown)
