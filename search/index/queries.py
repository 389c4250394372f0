"""Search by Elasticsearch: the messages of a chat that contain a text, in either order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from infra.breaker import Breaker
from infra.logs import Event, get_logger
from infra.timeouts import SEARCH_ANSWER_SECONDS
from listing.pages import Source, Window
from messages_app.models import Message
from search.errors import IndexUnavailable, RequestRejected
from search.fold_and_highlight import fold
from search.index.client import client, failures
from search.index.layout import Role, alias, document_name

logger = get_logger(__name__)

Json = dict[str, Any]

_SHOWN: Json = {"includes": ["body", "created_at", "updated_at", "message_number"]}


class ElasticsearchSearch:
    """Restricts a search to one chat twice: by routing, so one shard is asked, and by a filter."""

    name = "elasticsearch"

    def hits(self, *, application_token: str, chat_number: int, query: str) -> Source[Message]:
        """One request a page. Its methods raise IndexUnusable."""
        return _Hits(application_token, chat_number, fold(query))


def has_messages(*, application_token: str, chat_number: int) -> bool:
    """Whether the index has any message of this chat. Raises IndexUnusable."""
    chat = document_name((application_token, chat_number))
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
class _Hits:
    application_token: str
    chat_number: int
    folded_query: str

    def items(self, window: Window) -> Sequence[Message]:
        return [self._message(hit["_source"]) for hit in self._ask(window, source=_SHOWN)]

    def numbers(self, window: Window) -> Sequence[int]:
        return [int(hit["sort"][-1]) for hit in self._ask(window, source=False)]

    def _ask(self, window: Window, *, source: bool | Json) -> Sequence[Json]:
        chat = document_name((self.application_token, self.chat_number))
        return _ask(chat, [_containing(self.folded_query)], window, source=source)

    def _message(self, source: Mapping[str, Any]) -> Message:
        """An unsaved instance that represents the hit; the table is not read."""
        return Message(
            application_token=self.application_token,
            chat_number=self.chat_number,
            message_number=source["message_number"],
            body=source["body"],
            created_at=datetime.fromisoformat(source["created_at"]),
            updated_at=datetime.fromisoformat(source["updated_at"]),
        )


def _ask(
    chat: str, filters: Sequence[Json], window: Window, *, source: bool | Json
) -> Sequence[Json]:
    """The hits in this window. Raises IndexUnusable; at once while the breaker is open."""
    if breaker().is_open:
        raise IndexUnavailable("the circuit breaker is open")
    try:
        with failures():
            answer = client().search(
                index=alias(Role.READ),
                routing=chat,
                query={"bool": {"filter": [{"term": {"chat": chat}}, *filters, *_within(window)]}},
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
