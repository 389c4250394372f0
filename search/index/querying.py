"""Search by Elasticsearch: a chat's messages that contain a text, newest first or oldest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from core.breaker import Breaker
from core.http.paging import Source, Window
from core.text import fold
from messages_app.models import Message
from search.errors import IndexAway
from search.index.client import client, failures
from search.index.layout import Role, alias
from search.index.names import name_of

Json = dict[str, Any]

_SHOWN: Json = {"includes": ["body", "created_at", "updated_at", "message_number"]}


class ElasticsearchSearch:
    """Keeps to one chat twice: by routing, so one shard is asked, and by a filter."""

    name = "elasticsearch"

    def hits(self, *, application_token: str, chat_number: int, query: str) -> Source[Message]:
        """One request for each page. Its methods raise IndexAway and NoIndex."""
        return _Hits(application_token, chat_number, fold(query))


def has_messages(*, application_token: str, chat_number: int) -> bool:
    """Whether the index has any message of this chat. Raises IndexAway, NoIndex."""
    chat = name_of((application_token, chat_number))
    return bool(_ask(chat, [], Window(limit=1, descending=True), source=False))


@cache
def breaker() -> Breaker:
    """This process's knowledge that Elasticsearch is away."""
    return Breaker("elasticsearch", client().info)


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
        chat = name_of((self.application_token, self.chat_number))
        return _ask(chat, [_containing(self.folded_query)], window, source=source)

    def _message(self, source: Mapping[str, Any]) -> Message:
        """What represents the hit; it is not read from the table."""
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
    """The hits in this window. Raises IndexAway, at once where that is known, and NoIndex."""
    if breaker().is_open:
        raise IndexAway("known to be away")
    try:
        with failures():
            answer = client().search(
                index=alias(Role.READ),
                routing=chat,
                query={"bool": {"filter": [{"term": {"chat": chat}}, *filters, *_within(window)]}},
                # The order in which the index is sorted, so a full page ends the search.
                sort=[{"chat": "asc"}, {"message_number": "desc" if window.descending else "asc"}],
                size=window.limit,
                source=source,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
    except IndexAway as error:
        breaker().open(error)
        raise
    hits: Sequence[Json] = answer["hits"]["hits"]
    return hits


def _within(window: Window) -> list[Json]:
    bounds = {"gt": window.after, "lt": window.before}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    return [{"range": {"message_number": given}}] if given else []


def _containing(folded_query: str) -> Json:
    """See search.index.documents."""
    if len(folded_query) == 1:
        return {"term": {"text.character": folded_query}}
    return {"match_phrase": {"text": folded_query}}
