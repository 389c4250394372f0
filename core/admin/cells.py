"""What stands in a cell of a list or beside a label: texts cut short, links to other lists.

A link names its rows by the search that finds them, so it costs no query and needs no primary key.
"""

from urllib.parse import urlencode

from django.contrib.admin.views.main import SEARCH_VAR
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

PREVIEW_CHARACTERS = 80


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
