"""The log's oldest part is removed while a client is away: it hears where the log begins now."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from chaos.listener import Listener
from tests.live.servers import DATABASE, EmbeddedServer, eventually
from tests.streams.log import WITHIN


@pytest.fixture
def base_url(embedded: EmbeddedServer) -> str:
    return embedded.url


@pytest.fixture
def removed(embedded: EmbeddedServer, http: httpx.Client, application: str, chat: str) -> int:
    """The lowest event that is left: those of the chat and of the first messages are gone."""
    for number in range(6):
        http.post(f"{chat}/messages", json={"body": f"{number}"})
    _remove(embedded, application, first=1, last=3)
    return 4


def _remove(server: EmbeddedServer, application: str, *, first: int, last: int) -> None:
    path = Path(server.environment["VAR_DIR"]) / DATABASE
    token = application.rpartition("/")[2]
    with closing(sqlite3.connect(path, timeout=WITHIN)) as database, database:
        database.execute(
            "DELETE FROM events WHERE application_token = ? AND event_number BETWEEN ? AND ?",
            (token, first, last),
        )


@pytest.mark.parametrize("after", ["0", "1", "2"])
@pytest.mark.parametrize("of_chat", [False, True], ids=["application", "chat"])
def test_the_first_frame_is_a_reset(
    base_url: str, application: str, chat: str, removed: int, after: str, of_chat: bool
) -> None:
    path = f"{chat if of_chat else application}/stream"
    with Listener(base_url, path, after=after) as listener:
        eventually(lambda: len(listener.received) >= 5, WITHIN, "the rest arrives")

    reset, *rest = listener.received
    assert (reset.type, reset.data) == ("reset", {"lowest_event_number": removed})
    assert reset.id == str(removed - 1)
    assert [one.id for one in rest] == ["4", "5", "6", "7"]


def test_who_has_seen_all_that_is_removed_misses_nothing(
    base_url: str, application: str, removed: int
) -> None:
    with Listener(base_url, f"{application}/stream", after=str(removed - 1)) as listener:
        eventually(lambda: len(listener.received) >= 4, WITHIN, "the rest arrives")

    assert [one.id for one in listener.received] == ["4", "5", "6", "7"]


def test_a_log_that_has_lost_events_in_its_midst_is_read_to_its_end(
    embedded: EmbeddedServer, base_url: str, http: httpx.Client, application: str, chat: str
) -> None:
    messages = {"messages": [{"body": "x"}]}
    for _ in range(300):  # more than are read at a time
        http.post(f"{chat}/messages/bulk", json=messages)
    _remove(embedded, application, first=10, last=290)

    with Listener(base_url, f"{application}/stream", after="0") as listener:
        eventually(lambda: listener.received[-1:] and listener.ids[-1] == "301", WITHIN, "the end")

    resets = [one.data for one in listener.received if one.type == "reset"]
    assert resets == [{"lowest_event_number": 291}]
    ids = [one.id for one in listener.received if one.type != "reset"]
    assert ids == [str(number) for number in (*range(1, 10), *range(291, 302))]
