"""Search by Elasticsearch: the messages of a chat that contain a text, in either order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from infra.breaker import Breaker
from infra.logs import Event, get_logger
from infra.timeouts import SEARCH_ANSWER_SECONDS
from ingest.records import Key
from listing.pages import Window
from messages_app.models import Message
from messages_app.records import MESSAGES
from search.errors import IndexUnavailable, RequestRejected
from search.fold_and_highlight import fold
from search.index.client import client, failures
from search.index.layout import Role, alias, document_name

logger = get_logger(__name__)

Json = dict[str, Any]

_SHOWN: Json = {"includes": ["body", "created_at", "updated_at", "message_number"]}


def has_messages(chat: Key) -> bool:
    """Whether the index has any message of this chat. Raises IndexUnusable."""
    return bool(_ask(chat, [], Window(limit=1, descending=True), source=False))


@cache
def breaker() -> Breaker:
    """The circuit breaker of this process for the index."""
    return Breaker("elasticsearch", require_readable)


def require_readable(timeout: float = SEARCH_ANSWER_SECONDS) -> None:
    """Send an empty search within `timeout` seconds. Raises IndexUnusable.

    A ping is not enough: the server may answer while its index is closed, blocked or forbidden.
    """
    with failures():
        client().options(request_timeout=timeout).search(
            index=alias(Role.READ),
            size=0,
            track_total_hits=False,
            allow_partial_search_results=False,
        )


@dataclass(frozen=True)
class Hits:
    """The messages of a chat that contain a text: one request a page. Raises IndexUnusable."""

    chat: Key
    query: str

    def items(self, window: Window) -> Sequence[Message]:
        """The hits of the window, made from their documents."""
        return [self._message(hit["_source"]) for hit in self._ask(window, source=_SHOWN)]

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the hits of the window."""
        return [int(hit["sort"][-1]) for hit in self._ask(window, source=False)]

    def _ask(self, window: Window, *, source: bool | Json) -> Sequence[Json]:
        return _ask(self.chat, [_containing(fold(self.query))], window, source=source)

    def _message(self, source: Mapping[str, Any]) -> Message:
        """An unsaved instance that represents the hit; the table is not read."""
        return Message(
            **dict(zip(MESSAGES.key_fields, (*self.chat, source["message_number"]), strict=True)),
            body=source["body"],
            created_at=datetime.fromisoformat(source["created_at"]),
            updated_at=datetime.fromisoformat(source["updated_at"]),
        )


def _ask(
    chat: Key, filters: Sequence[Json], window: Window, *, source: bool | Json
) -> Sequence[Json]:
    """The hits in this window. Raises IndexUnusable; at once while the breaker is open.

    A search is restricted to one chat twice: by routing, so one shard is asked, and by a filter.
    """
    if breaker().is_open:
        raise IndexUnavailable("the circuit breaker is open")
    name = document_name(chat)
    try:
        with failures():
            answer = client().search(
                index=alias(Role.READ),
                routing=name,
                query={"bool": {"filter": [{"term": {"chat": name}}, *filters, *_within(window)]}},
                # The sort order of the index, so Elasticsearch stops when the page is full.
                sort=[{"chat": "asc"}, {"message_number": "desc" if window.descending else "asc"}],
                size=window.limit,
                source=source,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
    except IndexUnavailable as error:
        breaker().open(error)
        raise
    except RequestRejected as error:
        # Only this search falls back to the database: the request is at fault, not the index.
        logger.error(Event.SEARCH_REFUSED, error=error)  # noqa: TRY400
        raise
    hits: Sequence[Json] = answer["hits"]["hits"]
    return hits


def _within(window: Window) -> list[Json]:
    bounds = {"gt": window.after, "lt": window.before}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    return [{"range": {"message_number": given}}] if given else []


def _containing(folded_query: str) -> Json:
    """The query for this text; search.index.documents explains the analysis."""
    if len(folded_query) == 1:
        return {"term": {"text.character": folded_query}}
    return {"match_phrase": {"text": folded_query}}
