"""Search by Elasticsearch: the messages of a chat or an application that contain a text.

The index may be two seconds late, but an erased message is never shown: the rows of hits are looked
up before the hits are returned, unless the database is unavailable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from django.db import InterfaceError, OperationalError

from infra.breaker import Breaker
from infra.database import database_breaker, note_outage, read_in_thread
from infra.event_loop import Batcher, BatchLimits, is_in_greenlet
from infra.logs import Event, get_logger
from infra.natural_keys import in_pieces
from infra.timeouts import SEARCH_ANSWER_SECONDS
from ingest.read_your_writes import Window
from ingest.records import Key, to_microseconds
from listing.pages import MAX_LIMIT, Source
from messages_app.models import Message
from messages_app.records import MESSAGES
from search.by_time import Position, TimeWindow, just_before, place_of_shown
from search.errors import IndexBehind, IndexUnavailable, RequestRejected, failure
from search.fold_and_highlight import fold
from search.index.client import client, failures
from search.index.layout import Role, alias, document_name
from search.service import Criteria

logger = get_logger(__name__)

Json = dict[str, Any]

_SHOWN: Json = {
    "includes": [*MESSAGES.key_fields, *MESSAGES.field_names, "created_at", "updated_at"]
}

#: Requests for one page. The first one is enough, unless hits were erased a moment ago.
MAX_REQUESTS = 10


def has_messages(scope: Key) -> bool:
    """Whether the index has any message of this chat or application. Raises IndexUnusable."""
    return bool(_ask(_Question(scope, [_within(scope)], _BY_NUMBER, limit=1)))


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
class _Question:
    """A search: filters, sort order, the sort values behind which to begin, size, and source."""

    scope: Key
    filters: Sequence[Json]
    order: Sequence[Mapping[str, str]]
    after: Sequence[int] | None = None
    limit: int = MAX_LIMIT
    source: bool | Json = False

    @property
    def target(self) -> Json:
        """Where to search: the same copy each time, since the others may show a change later."""
        target = {
            "index": alias(Role.READ),
            "allow_partial_search_results": False,
            "preference": document_name(self.scope),
        }
        # The messages of a chat are on one shard, those of an application on all.
        return target | ({"routing": document_name(self.scope)} if _is_chat(self.scope) else {})

    @property
    def body(self) -> Json:
        """What to search for."""
        body: Json = {
            "query": {"bool": {"filter": list(self.filters)}},
            "sort": list(self.order),
            "size": self.limit,
            "_source": self.source,
            "track_total_hits": False,
        }
        return body if self.after is None else {**body, "search_after": list(self.after)}


_BY_NUMBER = ({"message_number": "desc"},)
_BY_NUMBER_UP = ({"message_number": "asc"},)
#: Begins as the order of the index, so Elasticsearch stops when the page is full.
_BY_TIME = ({"created_us": "desc"}, {"chat_number": "desc"}, {"message_number": "desc"})
_BY_TIME_UP = ({"created_us": "asc"}, {"chat_number": "asc"}, {"message_number": "asc"})


class ChatHits(Source[Any]):
    """The hits in a chat: one request a page. Raises IndexUnusable."""

    def __init__(self, criteria: Criteria) -> None:
        self._scope = criteria.scope
        self._filters = _filters(criteria)

    def items(self, window: Window) -> Sequence[Any]:
        """The hits of the window, made from their documents."""

        def read(last: Any | None, limit: int) -> Sequence[Any]:
            rest = window.beyond(last.message_number) if last else window
            return list(map(_message, self._ask(replace(rest, limit=limit), source=_SHOWN)))

        return _without_erased(read, window.limit)

    def numbers(self, window: Window) -> Sequence[int]:
        """The numbers of the hits of the window."""
        return [int(hit["sort"][-1]) for hit in self._ask(window, source=False)]

    def _ask(self, window: Window, *, source: bool | Json) -> Sequence[Json]:
        order = _BY_NUMBER if window.descending else _BY_NUMBER_UP
        filters = [*self._filters, *_range("message_number", window.after, window.before)]
        return _ask(_Question(self._scope, filters, order, limit=window.limit, source=source))


class ApplicationHits:
    """The hits in an application: one request a page. Raises IndexUnusable."""

    def __init__(self, criteria: Criteria) -> None:
        self._scope = criteria.scope
        self._filters = _filters(criteria)

    def older(self, window: TimeWindow) -> Sequence[Any]:
        """The newest hits of the window, newest first."""

        def read(last: Any | None, limit: int) -> Sequence[Any]:
            start = place_of_shown(last) if last else window.start
            return list(map(_message, self._ask(_BY_TIME, start, limit, source=_SHOWN)))

        return _without_erased(read, window.limit)

    def not_older(self, start: Position, limit: int) -> Sequence[Position]:
        """The places of the oldest hits that lie at `start` or behind it, oldest first."""
        hits = self._ask(_BY_TIME_UP, just_before(start), limit, source=False)
        return [Position(*hit["sort"]) for hit in hits]

    def _ask(
        self,
        order: Sequence[Mapping[str, str]],
        start: Position | None,
        limit: int,
        *,
        source: bool | Json,
    ) -> Sequence[Json]:
        after = astuple(start) if start else None
        return _ask(_Question(self._scope, self._filters, order, after, limit, source))


def _message(hit: Json) -> Any:
    """The message as it is shown; its document has neither its id nor its version."""
    return MESSAGES.shown_row._make(map(hit["_source"].get, MESSAGES.shown_names))


def _without_erased(read: Callable[[Any | None, int], Sequence[Any]], limit: int) -> Sequence[Any]:
    """The first hits that are not erased; `read` gives at most so many behind the last one.

    Raises IndexBehind where that takes more than MAX_REQUESTS.
    """
    found: list[Any] = []
    last: Any | None = None
    for _ in range(MAX_REQUESTS):
        wanted = MAX_LIMIT if last else limit
        hits = read(last, wanted)
        erased = _erased(list(map(MESSAGES.key_of, hits)))
        found += [hit for hit in hits if MESSAGES.key_of(hit) not in erased]
        if len(found) >= limit or len(hits) < wanted:
            return found[:limit]
        last = hits[-1]
    raise IndexBehind(f"{MAX_REQUESTS} requests found too few messages that are not erased")


def _erased(keys: Sequence[Key]) -> set[Key]:
    """Those of these messages that are erased; none while the database is unavailable."""
    if database_breaker().is_open:
        return set()
    if is_in_greenlet():
        return _erasures.call(keys, weight=len(keys))
    [erased] = _erased_together([keys])
    return erased


def _erased_together(searches: Sequence[Sequence[Key]]) -> list[set[Key]]:
    """The same for the hits of several searches."""
    erased = Message.objects.exclude(erased_at=None).values_list(*MESSAGES.key_fields)
    keys = {key for some in searches for key in some}
    pieces = list(in_pieces(MESSAGES.key_fields, keys))
    found: set[Key] = set()
    try:
        found = read_in_thread(lambda: {key for wanted in pieces for key in erased.filter(wanted)})
    except (OperationalError, InterfaceError) as error:
        note_outage(error)
    return [found.intersection(some) for some in searches]


_erasures: Batcher[Sequence[Key], set[Key]] = Batcher("erasures", _erased_together)


def _ask(question: _Question) -> Sequence[Json]:
    """The hits. Raises IndexUnusable; at once while the breaker is open."""
    if breaker().is_open:
        raise IndexUnavailable("the circuit breaker is open")
    try:
        if is_in_greenlet():
            return _searches.call(question, weight=question.limit)
        [outcome] = _search_together([question])
        if isinstance(outcome, Exception):
            raise outcome
    except IndexUnavailable as error:
        breaker().open(error)
        raise
    except RequestRejected as error:
        # Only this search falls back to the database: the request is at fault, not the index.
        logger.error(Event.SEARCH_REFUSED, error=error)  # noqa: TRY400
        raise
    return outcome


def _search_together(questions: Sequence[_Question]) -> list[Sequence[Json] | Exception]:
    """The hits or the error of each, by one request. Raises IndexUnusable."""
    if len(questions) == 1:
        [question] = questions
        with failures():
            answer = client().search(**question.target, body=question.body)
        return [answer["hits"]["hits"]]
    searches = [part for question in questions for part in (question.target, question.body)]
    with failures():
        answers = client().msearch(searches=searches)["responses"]
    return [
        failure(one["status"], one["error"]) if "error" in one else one["hits"]["hits"]
        for one in answers
    ]


#: Searches on the event loop; a request has about this number of hits.
_MOST_HITS = 1000
_searches: Batcher[_Question, Sequence[Json]] = Batcher(
    "searches", _search_together, BatchLimits(batch=_MOST_HITS)
)


def _is_chat(scope: Key) -> bool:
    return len(scope) == len(MESSAGES.parent_fields)


def _within(scope: Key) -> Json:
    return {"term": {"chat" if _is_chat(scope) else "application_token": document_name(scope)}}


def _filters(criteria: Criteria) -> list[Json]:
    filters = [_within(criteria.scope), _containing(fold(criteria.query))]
    asked = criteria.filters
    if asked is not None:
        after, before = map(_microseconds, (asked.created_after, asked.created_before))
        filters += _range("created_us", after, before)
        if asked.sender is not None:
            filters.append({"term": {"sender": asked.sender}})
    return filters


def _microseconds(at: datetime | None) -> int | None:
    return None if at is None else to_microseconds(at)


def _range(field: str, after: int | None, before: int | None) -> list[Json]:
    bounds = {"gt": after, "lt": before}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    return [{"range": {field: given}}] if given else []


def _containing(folded_query: str) -> Json:
    """The query for this text; search.index.documents explains the analysis."""
    if len(folded_query) == 1:
        return {"term": {"text.character": folded_query}}
    return {"match_phrase": {"text": folded_query}}
