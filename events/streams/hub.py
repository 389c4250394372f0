"""The hub: all streams of one process. It runs on the event loop, and reads tables in threads."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from applications.models import Application, OperatorKey
from events import wake_ups
from events.pages import Position
from events.streams.access import open_streams
from events.streams.frames import Reading, read_frames
from events.streams.metrics import LAG_SECONDS
from events.streams.stream import EventStream
from events.streams.subscription import Subscription
from events.streams.topic import Topic
from infra.database import close_connection, renew_connection
from infra.logs import Event, get_logger
from infra.timeouts import STREAMS_LOOK_SECONDS

logger = get_logger(__name__)

_THREADS = 4
#: Applications looked at by one statement.
_APPLICATIONS = 500

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _State:
    """What a look at an application finds."""

    last_event: int
    key_hash: str | None


@dataclass(frozen=True, slots=True)
class _Look:
    """The applications by token, and the operators' keys."""

    applications: Mapping[str, _State]
    operator_key_hashes: Collection[str]


class _Application:
    """The streams of one application, and its topic."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.streams: dict[EventStream, None] = {}
        self.is_woken = False
        self.reader: asyncio.Task[None] | None = None


class Hub:
    """The streams by application. Streams that are behind at the same place share one read."""

    def __init__(self) -> None:
        self._applications: dict[str, _Application] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="streams")
        self._reads: dict[tuple[str, Position, int | None], asyncio.Task[Reading | None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clock: asyncio.Task[None] | None = None
        self._look: asyncio.Task[None] | None = None
        self._subscription = Subscription(self.wake_soon)

    def wake_soon(self, tokens: Collection[str]) -> None:
        """There are new events of these applications. It may be called in any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the process is ending
                self._loop.call_soon_threadsafe(self._wake_all, tokens)

    def join(self, stream: EventStream) -> Topic:
        """Add a stream; its topic."""
        self._start()
        application = self._applications.get(stream.token)
        if application is None:
            application = _Application(Topic(stream.latest))
            self._applications[stream.token] = application
            # No wake-up told of events that were committed since the request read the table.
            self._wake(stream.token, application)
        application.streams[stream] = None
        open_streams.add(stream.token, stream.address)
        return application.topic

    def leave(self, stream: EventStream) -> None:
        """Remove a stream."""
        open_streams.remove(stream.token, stream.address)
        application = self._applications[stream.token]
        application.topic.leave(stream)
        del application.streams[stream]
        if not application.streams:
            del self._applications[stream.token]

    async def read_for(self, stream: EventStream) -> Reading | None:
        """The next frames of a stream that is behind; None if that is not possible now."""
        place = (stream.token, stream.position, stream.chat_number)
        task = self._reads.get(place)
        if task is None:
            work = self._in_thread(read_frames, *place)
            task = self._reads[place] = asyncio.create_task(work)
            task.add_done_callback(lambda _: self._reads.pop(place, None))
        reading = await task
        if reading is None:
            await asyncio.sleep(STREAMS_LOOK_SECONDS)
        return reading

    # --- Reading ----------------------------------------------------------------------------

    def _wake_all(self, tokens: Collection[str]) -> None:
        for token in tokens:
            if application := self._applications.get(token):
                self._wake(token, application)

    def _wake(self, token: str, application: _Application) -> None:
        application.is_woken = True
        if application.reader is None:
            application.reader = asyncio.create_task(self._read_all(token, application))

    async def _read_all(self, token: str, application: _Application) -> None:
        """Read until nothing follows and nobody has woken this meanwhile."""
        topic = application.topic
        try:
            while application.is_woken and application.streams:
                application.is_woken = False
                reading = await self._in_thread(read_frames, token, topic.position)
                if reading is None:
                    return
                if reading.frames:
                    waited = timezone.now() - reading.frames[0].created_at
                    LAG_SECONDS.observe(max(waited.total_seconds(), 0))
                if reading.reached != topic.position:
                    topic.extend(reading)
                application.is_woken = application.is_woken or not reading.is_last
        finally:
            # Whatever the error was, the next look tries again.
            application.reader = None

    async def _in_thread(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result | None:
        """The result; None after an error of the database."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: _unless_database_fails(work, *args, **kwargs)
        )

    # --- Each second --------------------------------------------------------------------------

    def _start(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            wake_ups.listeners.append(self.wake_soon)
            self._subscription.start()
        if self._clock is None:
            self._clock = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        """Check all streams each second, while there are any."""
        while self._applications:
            await asyncio.sleep(STREAMS_LOOK_SECONDS)
            now = time.monotonic()
            for application in list(self._applications.values()):
                application.topic.forget_if_quiet()
                for stream in list(application.streams):
                    stream.check(now)
            if self._look is None or self._look.done():
                self._look = asyncio.create_task(self._look_at_applications())
        self._clock = None

    async def _look_at_applications(self) -> None:
        """Find events that nobody was woken for, and end the streams of replaced keys."""
        before = {token: one.topic.position for token, one in self._applications.items()}
        streams = [stream for one in self._applications.values() for stream in one.streams]
        asks_operators = any(stream.access.operator_key_hash for stream in streams)
        found = await self._in_thread(_look, list(before), asks_operators=asks_operators)
        if found is None:
            return
        missed = 0
        for token, position in before.items():
            application, state = self._applications.get(token), found.applications.get(token)
            if application is None:
                continue
            for stream in list(application.streams):
                if state is None or not stream.access.is_valid(
                    state.key_hash, found.operator_key_hashes
                ):
                    stream.end("access")
            if state is not None and state.last_event > position.event_number:
                missed += application.topic.position == position and application.reader is None
                self._wake(token, application)
        self._subscription.note(missed)


def _unless_database_fails(
    work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result | None:
    try:
        return work(*args, **kwargs)
    except (DatabaseError, InterfaceError) as error:
        close_connection()
        logger.warning(Event.STREAMS_WAIT, error=error)
        return None


def _look(tokens: list[str], *, asks_operators: bool) -> _Look:
    renew_connection()
    applications: dict[str, _State] = {}
    for start in range(0, len(tokens), _APPLICATIONS):
        rows = Application.objects.filter(token__in=tokens[start : start + _APPLICATIONS])
        for token, last_event, key_hash in rows.values_list("token", "last_event", "key_hash"):
            applications[token] = _State(last_event, key_hash)
    operators = OperatorKey.objects.values_list("key_hash", flat=True) if asks_operators else ()
    return _Look(applications, set(operators))


#: That of this process. It starts nothing before the first stream, so never before a fork.
hub = Hub()
