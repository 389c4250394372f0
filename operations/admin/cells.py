"""What stands in a cell of a list or beside a label: texts cut short, links to other lists.

A link names its rows by the search that finds them, so it costs no query and needs no primary key.
"""

from urllib.parse import urlencode

from django.contrib.admin.views.main import SEARCH_VAR
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

PREVIEW_CHARACTERS = 80
#: A text with more characters or lines than these is folded.
_FOLDED_CHARACTERS = 800
_FOLDED_LINES = 12


def preview(text: str) -> SafeString:
    """The beginning of a text; its writing direction stays inside of the cell."""
    if len(text) > PREVIEW_CHARACTERS:
        text = text[: PREVIEW_CHARACTERS - 1] + "…"
    return format_html("<bdi>{}</bdi>", text)


def list_link(model: str, key: tuple[str | int, ...], text: str | int) -> SafeString:
    """A link to the rows of `model` ("chats.chat") that a search for `key` finds.

    By name, because lists of a higher layer are linked to as well.
    """
    address = reverse(f"admin:{model.replace('.', '_')}_changelist")
    search = urlencode({SEARCH_VAR: "/".join(map(str, key))})
    return format_html('<a href="{}?{}">{}</a>', address, search, text)


def conversation_link(token: str, chat: int, text: str | int, message: int = 0) -> SafeString:
    """A link to a chat read as a conversation: its end, or from this message on."""
    address = reverse("conversation", args=(token, chat))
    if message:
        address += f"?after={message - 1}#m{message}"
    return format_html('<a href="{}">{}</a>', address, text)


def folded(text: str) -> SafeString:
    """A text as it was written; of a long one the beginning, and the rest on demand."""
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
