"""Applications with very many empty chats, put into the tables and into Redis in bulk.

The rows are as workers leave them, and Redis gets the blocks that it makes for new chats: it runs
the script that numbers chats, for a thousand at once. So the next message of any of these chats
costs what it costs in a chat that a client has made.
"""

import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from bench.filling import refresh_statistics, removed
from bench.product import Chat, Database
from bench.product_blocks import current_epoch, forget_blocks, forget_holders, open_blocks
from bench.product_code import new_key
from ingest.numbering.leases import FIRST_LEASE

_TOKEN_BYTES = 12
_AT_ONCE = 500
_APPLICATIONS = """INSERT INTO applications
 (token, key_hash, name, chats_count, number_ceiling, count_state, created_at, updated_at, version,
 lease_epoch, lease_first, lease_last, lease_at) VALUES """
_APPLICATION = """(%s, %s, %s, %s, %s, 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1,
 %s, 1, %s, UTC_TIMESTAMP(6))"""
_CHATS = """INSERT INTO chats
 (application_token, chat_number, name, messages_count, number_ceiling, count_state,
 created_at, updated_at, version, acceptance, lease_epoch, lease_first, lease_last, lease_at)
 SELECT token, seq, 'bench', 0, %s, 0,
 UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 1, UUID(), %s, 1, %s, UTC_TIMESTAMP(6)
 FROM applications JOIN seq_1_to_{} WHERE token IN ({})"""
_WRONG = """SELECT COUNT(*) FROM (
 SELECT COUNT(*) AS stored, MIN(message_number) AS lowest, MAX(message_number) AS highest
 FROM messages WHERE application_token IN ({}) GROUP BY application_token, chat_number
 HAVING lowest <> 1 OR highest <> stored) AS wrong"""


@dataclass(frozen=True)
class ManyChats:
    """Applications, by their tokens and keys, that each have chats 1 to `chats_each`."""

    keys: Mapping[str, str]
    chats_each: int

    @cached_property
    def tokens(self) -> Sequence[str]:
        """The tokens of the applications."""
        return list(self.keys)

    @cached_property
    def _random(self) -> random.Random:
        return random.Random(7)

    def draw(self, chats: int, count: int) -> Iterator[Chat]:
        """Random chats among the first ones of each application, `chats` of all together."""
        each = chats // len(self.tokens)
        for token in self._random.choices(self.tokens, k=count):
            yield Chat(token, self._random.randint(1, each), self.keys[token])

    def with_wrong_numbers(self, database: Database) -> int:
        """Chats whose stored messages do not have the numbers 1 to N, each once."""
        return sum(
            database.number(_WRONG.format(", ".join(["%s"] * len(some))), *some)
            for some in _in_pieces(self.tokens)
        )


@contextmanager
def many_chats(database: Database, *, applications: int, chats: int) -> Iterator[ManyChats]:
    """Yield new applications with `chats` chats of all together, and remove them afterwards."""
    keys = {secrets.token_hex(_TOKEN_BYTES): new_key() for _ in range(applications)}
    made = ManyChats({token: key for token, (key, _) in keys.items()}, chats // applications)
    hashes = {token: key_hash for token, (_, key_hash) in keys.items()}
    name = f"bench: {applications} with {chats}"
    with removed(database, name):
        try:
            _store(database, made, name, hashes)
            open_blocks(dict.fromkeys(made.tokens, made.chats_each))
            refresh_statistics(database)
            yield made
        finally:
            forget_blocks(dict.fromkeys(made.tokens, made.chats_each))
            forget_holders(hashes.values())


def _store(database: Database, made: ManyChats, name: str, hashes: Mapping[str, str]) -> None:
    """Insert the rows. Each row's lease is the one that its block gets."""
    epoch, chats = current_epoch(), made.chats_each
    for tokens in _in_pieces(made.tokens):
        values = [(token, hashes[token], name, chats, chats, epoch, chats) for token in tokens]
        statement = _APPLICATIONS + ", ".join([_APPLICATION] * len(tokens))
        database.execute(statement, *(value for row in values for value in row))
        statement = _CHATS.format(chats, ", ".join(["%s"] * len(tokens)))
        database.execute(statement, FIRST_LEASE, epoch, FIRST_LEASE, *tokens)


def _in_pieces(tokens: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(tokens), _AT_ONCE):
        yield tokens[start : start + _AT_ONCE]
