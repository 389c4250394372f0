"""Contents of cells: shortened texts, and links to other lists and to conversations.

A link to rows is a search for their key, so it costs no query and needs no primary key.
"""

from urllib.parse import urlencode

from django.contrib.admin.views.main import SEARCH_VAR
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

PREVIEW_CHARACTERS = 80
#: A text with more characters or lines is folded.
_FOLDED_CHARACTERS = 800
_FOLDED_LINES = 12


def preview(text: str) -> SafeString:
    """The beginning of a text; its writing direction does not affect the rest of the row."""
    if len(text) > PREVIEW_CHARACTERS:
        text = text[: PREVIEW_CHARACTERS - 1] + "…"
    return format_html("<bdi>{}</bdi>", text)


def list_link(model: str, key: tuple[str | int, ...], text: str | int) -> SafeString:
    """A link to the rows of `model` ("chats.chat") that a search for `key` finds.

    The model is given by name, because the link may lead to a list of a higher layer.
    """
    address = reverse(f"admin:{model.replace('.', '_')}_changelist")
    search = urlencode({SEARCH_VAR: "/".join(map(str, key))})
    return format_html('<a href="{}?{}">{}</a>', address, search, text)


def conversation_link(token: str, chat: int, text: str | int, message: int = 0) -> SafeString:
    """A link to the chat as a conversation: to its end, or to this message."""
    address = reverse("conversation", args=(token, chat))
    if message:
        address += f"?after={message - 1}#m{message}"
    return format_html('<a href="{}">{}</a>', address, text)


def folded(text: str) -> SafeString:
    """The whole text; a long one is folded and unfolds on a click."""
    lines = text.split("\n", _FOLDED_LINES)
    if len(text) <= _FOLDED_CHARACTERS and len(lines) <= _FOLDED_LINES:
        return format_html('<div class="said" dir="auto">{}</div>', text)
    beginning = "\n".join(lines[:_FOLDED_LINES])[: _FOLDED_CHARACTERS // 2]
    return format_html(
        '<details class="long"><summary><div class="said beginning" dir="auto">{}…</div>'
        "<span>{} characters</span></summary>"
        '<div class="said" dir="auto">{}</div></details>',
        beginning,
        len(text),
        text,
    )
