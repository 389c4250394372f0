"""Many clients of streams on one event loop; each resumes where it was cut."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from urllib.parse import urlsplit

from chaos.evidence import Violation
from chaos.listening import expected_ids, heard_otherwise, read_log
from chaos.parent import Parent
from chaos.waiting import until

_AT_ONCE = 50
_PAUSE_SECONDS = 0.1
_OPEN_WITHIN_SECONDS = 60
_HEARD_WITHIN_SECONDS = 120
_END_SECONDS = 10


@dataclass
class Follower:
    """Follows the stream of a chat from its first event on."""

    chat: Parent
    #: In the order of their arrival, without repeats.
    ids: dict[str, None] = field(default_factory=dict)
    opened: int = 0
    failures: list[str] = field(default_factory=list)
    _last: str = "0"

    async def follow(self, turns: asyncio.Semaphore) -> None:
        """Connect again and again; some at a time, as real clients are spread."""
        while True:
            try:
                async with turns:
                    reader, writer = await self._connect()
            except (OSError, EOFError) as error:
                self.failures.append(repr(error))
            else:
                try:
                    await self._read(reader)
                finally:
                    writer.close()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = urlsplit(os.environ["BASE_URL"])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        path = f"/api/v1/applications/{self.chat.token}/chats/{self.chat.number}/stream"
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {self._last}\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if answer.split()[1] != b"200":
            writer.close()
            raise OSError(f"{answer!r}")
        self.opened += 1
        return reader, writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                frame = await reader.readuntil(b"\n\n")
            except (OSError, EOFError):
                return
            lines = frame.decode().splitlines()
            names = [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]
            self._last = (names or [self._last])[0]
            if names and any(line.startswith("data: ") for line in lines):
                self.ids[self._last] = None


@contextmanager
def followed(chats: Iterable[Parent]) -> Iterator[list[Follower]]:
    """A follower of each of these chats; all streams are open when the block begins."""
    followers = [Follower(chat) for chat in chats]
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def follow_all() -> None:
        turns = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(one.follow(turns) for one in followers))

    following = asyncio.run_coroutine_threadsafe(follow_all(), loop)
    try:
        until(lambda: all(one.opened for one in followers), "all are open", _OPEN_WITHIN_SECONDS)
        yield followers
    finally:
        following.cancel()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(_END_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_END_SECONDS)
        loop.close()


def misheard(followers: Sequence[Follower]) -> list[Violation]:
    """What they missed, made up or got out of order, once all rows are stored."""
    found: list[Violation] = []
    logs = {token: read_log(token) for token in {one.chat.token for one in followers}}
    for one in followers:
        expected = expected_ids(logs[one.chat.token], one.chat)
        until(
            lambda: len(one.ids) >= len(expected),  # noqa: B023 - called at once
            f"all of {one.chat} is heard",
            _HEARD_WITHIN_SECONDS,
        )
        found += heard_otherwise(one.chat, expected, list(one.ids))
    return found
