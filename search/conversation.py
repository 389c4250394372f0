"""A chat in the admin, read as a conversation: in order, a page at a time, with a search box.

It shows what the API shows, so also what is accepted and not stored yet, marked as such; where that
cannot be seen, the page says so. Whatever else is away, the database alone is enough for a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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

from chats.models import Chat
from chats.selectors import get_chat
from infra.errors import DomainError, Invalid
from ingest.read_your_writes import pending_is_complete
from ingest.text_rules import clean_query
from listing.accepted_rows import accepted_rows
from listing.pages import MAX_NUMBER, Source, Window, read_window
from messages_app.models import Message
from operations.admin.cells import conversation_link, folded
from search.highlight import highlight
from search.service import search

#: Messages on a page.
SIZE = 50


@dataclass(frozen=True)
class Piece:
    """Messages in ascending order, and where their neighbours begin; None where there are none.

    What is earlier has numbers below `earlier`, what is later above `later`.
    """

    messages: Sequence[Message]
    earlier: int | None
    later: int | None


@dataclass(frozen=True)
class Shown:
    """A message with its number and its text as HTML."""

    message: Message
    number: SafeString | int
    text: SafeString


@require_GET
def conversation(request: HttpRequest, token: str, chat_number: str) -> HttpResponse:
    """The page; with `query` the hits in place of the conversation."""
    if not all(map(request.user.has_perm, ("chats.view_chat", "messages_app.view_message"))):
        raise PermissionDenied
    try:
        chat = get_chat(application_token=token, chat_number=int(chat_number))
    except DomainError as error:
        messages.warning(request, error.detail)
        return HttpResponseRedirect(reverse("admin:chats_chat_changelist"))
    hits = _hits(request, chat) if "query" in request.GET else None
    context = {
        **admin.site.each_context(request),
        "title": chat.name,
        "chat": chat,
        "query": request.GET.get("query", ""),
        "sees_all": pending_is_complete(),
        **(hits or _conversation(request, chat)),
    }
    return TemplateResponse(request, "search/admin/conversation.html", context)


def read_piece(source: Source[Message], window: Window) -> Piece:
    """The messages of the window, which is bounded on one side at most."""
    found = list(source.items(replace(window, limit=SIZE + 1)))
    has_more, found = len(found) > SIZE, found[:SIZE]
    if window.descending:
        found.reverse()
        at = window.before
        above = Window(after=max(at - 1, 0), limit=1) if at is not None else None
        before, after = has_more, above is not None and bool(source.numbers(above))
        empty = Piece([], None, max((at or 0) - 1, 0) if after else None)
    else:
        at = min((window.after or 0) + 1, MAX_NUMBER)
        below = Window(before=at, limit=1, descending=True)
        before, after = bool(source.numbers(below)), has_more
        empty = Piece([], at if before else None, None)
    if not found:
        return empty
    first, last = found[0].message_number, found[-1].message_number
    return Piece(found, first if before else None, last if after else None)


def _conversation(request: HttpRequest, chat: Chat) -> dict[str, Any]:
    piece = read_piece(accepted_rows(Message, chat.key), _window(request))
    shown = [Shown(one, _edit_link(one), folded(one.body)) for one in piece.messages]
    return {"piece": piece, "shown": shown}


def _edit_link(message: Message) -> SafeString | int:
    """The number; of a stored message a link to its own page, which a pending one has not."""
    if not message.pk:
        return message.message_number
    address = reverse("admin:messages_app_message_change", args=(message.pk,))
    return format_html('<a href="{}">{}</a>', address, message.message_number)


def _hits(request: HttpRequest, chat: Chat) -> dict[str, Any] | None:
    """What was found, newest first, and by whom; None where it cannot be asked for."""
    token, number = chat.application_token, chat.chat_number
    window = _window(request)
    try:
        query = clean_query(request.GET["query"])
        found = search(
            application_token=token,
            chat_number=number,
            query=query,
            read=lambda hits: read_piece(hits, window),
        )
    except DomainError as error:
        messages.warning(request, f"Not searched. {error.detail}")
        return None
    shown = [
        Shown(
            hit,
            conversation_link(token, number, hit.message_number, hit.message_number),
            mark_safe(highlight(hit.body, query)),  # noqa: S308 - escaped there
        )
        for hit in reversed(found.answer.messages)
    ]
    is_degraded = bool(settings.ENVIRONMENT.elasticsearch_url) and found.backend == "database"
    return {"piece": found.answer, "shown": shown, "is_search": True, "is_degraded": is_degraded}


def _window(request: HttpRequest) -> Window:
    """What the address asks for; the end of the conversation where that makes no sense."""
    bound = next((name for name in ("after", "before") if name in request.GET), None)
    try:
        window = read_window({bound: request.GET[bound]} if bound else {})
    except Invalid as error:
        messages.warning(request, error.detail)
        window = Window()
    return replace(window, descending=window.after is None)
