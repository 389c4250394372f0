"""A server that is to end, while clients go on asking."""

import asyncio
from pathlib import Path

from bench.product import new_chat
from bench.servers_compared.clients import ended
from tests.live.servers import EmbeddedServer

CLIENTS = 32


def test_whatever_was_sent_before_the_end_is_answered(tmp_path: Path, migrated: Path) -> None:
    with EmbeddedServer(tmp_path, migrated, WEB_CONCURRENCY="2") as server:
        path = new_chat(server.url).messages_path
        seen = asyncio.run(ended(server.url, path, server.process.pid, clients=CLIENTS, after=1.0))

    assert seen.answered > CLIENTS
    assert seen.failed == 0
