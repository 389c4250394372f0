"""The conversation page of the admin: the messages of a chat in order, with a search box.

The page shows what the API shows, including pending messages, which are marked. If pending messages
cannot be read, the page says so. The database alone is enough to show a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET

from chats.models import ChatKey
from chats.records import CHATS
from infra.errors import DomainError, Invalid
from infra.redis_client import shard_of
from ingest.read_your_writes import MAX_NUMBER, Window, get, pending_is_complete
from ingest.records import Key
from listing.pages import Source, read_window
from listing.parent_rows import rows_of
from messages_app.admin import may_read_conversations
from messages_app.models import Message
from operations.admin.cells import conversation_link, folded
from operations.admin.sessions import polled
from search.fold_and_highlight import highlight
from search.service import Criteria, clean_query, search_chat

#: Messages on a page.
PAGE_SIZE = 50


@dataclass(frozen=True)
class MessagePage:
    """Messages in ascending order, and the bounds of the neighbouring pages.

    Earlier messages have numbers below `earlier`, later ones above `later`; None if there are none.
    """

    messages: Sequence[Message]
    earlier: int | None
    later: int | None


@dataclass(frozen=True)
class RenderedMessage:
    """A message, with its number and its text as HTML."""

    message: Message
    number: SafeString | int
    text: SafeString


@require_GET
def conversation(request: HttpRequest, token: str, chat_number: str) -> HttpResponse:
    """The page; with the parameter `query`, hits instead of the conversation."""
    if not may_read_conversations(request.user):
        raise PermissionDenied
    key = ChatKey(token, int(chat_number))
    try:
        chat = get(CHATS, key)
    except DomainError as error:
        messages.warning(request, error.detail)
        return HttpResponseRedirect(reverse("admin:chats_chat_changelist"))
    hits = _hits(request, key) if "query" in request.GET else None
    context = {
        **admin.site.each_context(request),
        "title": chat.name,
        "chat": chat,
        "query": request.GET.get("query", ""),
        "sees_all": pending_is_complete(shard_of(token)),
        **(hits or _conversation(request, key)),
    }
    return TemplateResponse(request, "search/admin/conversation.html", context)


@polled
@require_GET
def conversation_part(request: HttpRequest, token: str, chat_number: str) -> HttpResponse:
    """The messages of a page alone, for a conversation that is open."""
    if not may_read_conversations(request.user):
        raise PermissionDenied
    context = _conversation(request, (token, int(chat_number)))
    return TemplateResponse(request, "search/admin/conversation_messages.html", context)


def read_page(source: Source[Any], window: Window) -> MessagePage:
    """The messages of the window, which may have one bound, not both."""
    found = list(map(_message, source.items(replace(window, limit=PAGE_SIZE + 1))))
    has_more, found = len(found) > PAGE_SIZE, found[:PAGE_SIZE]
    if window.descending:
        found.reverse()
        at = window.before
        above = Window(after=max(at - 1, 0), limit=1) if at is not None else None
        before, after = has_more, above is not None and bool(source.numbers(above))
        empty = MessagePage([], None, max((at or 0) - 1, 0) if after else None)
    else:
        at = min((window.after or 0) + 1, MAX_NUMBER)
        below = Window(before=at, limit=1, descending=True)
        before, after = bool(source.numbers(below)), has_more
        empty = MessagePage([], at if before else None, None)
    if not found:
        return empty
    first, last = found[0].message_number, found[-1].message_number
    return MessagePage(found, first if before else None, last if after else None)


def _conversation(request: HttpRequest, chat: Key) -> dict[str, Any]:
    page = read_page(rows_of(chat), _window(request))
    shown = [RenderedMessage(one, _edit_link(one), folded(one.body)) for one in page.messages]
    return {"page": page, "shown": shown}


def _message(row: Any) -> Message:
    """A row as it is shown, with times."""
    values = row._asdict()
    for name in ("created_at", "updated_at", "erased_at"):
        values[name] = values[name] and datetime.fromisoformat(values[name])
    return Message(**values)


def _edit_link(message: Message) -> SafeString | int:
    """The number; for a stored message a link to its page. A pending message has none."""
    if not message.pk:
        return message.message_number
    address = reverse("admin:messages_app_message_change", args=(message.pk,))
    return format_html('<a href="{}">{}</a>', address, message.message_number)


def _hits(request: HttpRequest, chat: ChatKey) -> dict[str, Any] | None:
    """The hits, newest first, and the backend; None if the search fails."""
    window = _window(request)
    try:
        query = clean_query(request.GET["query"])
        criteria = Criteria(chat, query)
        page, backend = search_chat(criteria, lambda hits: read_page(hits, window))
    except DomainError as error:
        messages.warning(request, f"The search failed. {error.detail}")
        return None
    shown = [
        RenderedMessage(
            hit,
            conversation_link(*chat, hit.message_number, hit.message_number),
            mark_safe(highlight(hit.body, query)),  # noqa: S308 - escaped there
        )
        for hit in reversed(page.messages)
    ]
    is_degraded = bool(settings.ENVIRONMENT.elasticsearch_url) and backend == "database"
    return {"page": page, "shown": shown, "is_search": True, "is_degraded": is_degraded}


def _window(request: HttpRequest) -> Window:
    """The window of the URL; the end of the conversation if the URL is invalid."""
    bound = next((name for name in ("after", "before") if name in request.GET), None)
    try:
        window = read_window({bound: request.GET[bound]} if bound else {})
    except Invalid as error:
        messages.warning(request, error.detail)
        window = Window(limit=PAGE_SIZE)
    return replace(window, descending=window.after is None)
