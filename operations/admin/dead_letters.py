"""Dead letters in the admin: their rows in readable form, and the actions replay and discard.

A letter may hold hundreds of rows of 16 KiB each; a page shows the first ones and names the command
that shows the rest.
"""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION
from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ingest.dead_letters.consumer import MESSAGE
from ingest.dead_letters.replay import StillSetAside, as_object, discard, replay, rows_in
from ingest.message_format import UnknownFormat
from ingest.models import DeadLetter, letters_of
from ingest.records import NumberedRow, record_types
from ingest.redis_keys import parent_name
from operations.admin.cells import conversation_link, folded, preview
from operations.admin.confirmation import Confirmation, confirmation_page
from operations.admin.lists import ReadOnlyAdmin
from operations.admin.log import write
from operations.admin.records import key_parts

_MAX_ROWS = 50
_MAX_CHARACTERS = 64 * 1024


def _row(row: NumberedRow) -> SafeString:
    return format_html(
        '<div class="held"><p>{} {}, accepted {} UTC</p>{}</div>',
        row.record_type.name,
        "/".join(map(str, row.key)),
        f"{row.accepted_at:%Y-%m-%d %H:%M:%S}",
        folded("\n".join(map(str, row.values))),
    )


def _text_of(letter: DeadLetter) -> SafeString:
    """The bytes of a queue message as text."""
    if letter.kind != MESSAGE:
        return SafeString("")
    try:
        text = str(as_object(letter)["text"])
    except (KeyError, TypeError, ValueError):
        return SafeString("")
    return format_html("<pre>{}</pre>", _cut(letter, text))


def _cut(letter: DeadLetter, text: str) -> str:
    if len(text) <= _MAX_CHARACTERS:
        return text
    rest = f"\n… shortened; see all of it with: manage.py dead_letters show {letter.pk}"
    return text[:_MAX_CHARACTERS] + rest


_DISCARD = Confirmation(
    action="discard",
    title="Discard dead letters",
    warning="The rows in these letters are deleted for good. Their numbers are recorded as "
    "skipped, so an audit does not report them as lost.",
)


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin[DeadLetter]):
    """Dead letters, latest first."""

    actions = ("replay", "discard")
    change_form_template = "operations/admin/dead_letter.html"
    list_display = ("set_aside_at", "kind", "place", "why")
    not_listed = ("payload", "traceback")
    search_fields = ("parent",)
    search_help_text = (
        "Search by TOKEN, TOKEN CHAT or TOKEN CHAT MESSAGE, separated by spaces or slashes."
    )
    fields = (
        "kind",
        "place",
        "queue",
        "set_aside_at",
        "reason",
        "holds",
        "payload_shown",
        "trace",
        "acceptance",
    )

    @admin.display(description="row")
    def place(self, letter: DeadLetter) -> SafeString:
        """The key; for a message with a link to its place in the conversation."""
        key = "/".join(map(str, letter.key)) or "–"
        if len(letter.key) == 3 and letter.number:
            return conversation_link(letter.key[0], letter.key[1], key, letter.number)
        return preview(key)

    @admin.display(description="reason")
    def why(self, letter: DeadLetter) -> SafeString:
        return preview(letter.reason)

    @admin.display(description="content")
    def holds(self, letter: DeadLetter) -> SafeString:
        """Each row with its key, acceptance time and text."""
        if letter.kind != MESSAGE and letter.kind not in record_types():
            return format_html("A record of {}, without a row.", letter.kind)
        try:
            rows = rows_in(letter)
        except UnknownFormat as error:
            return format_html(
                "<p>This letter cannot be read: {}</p>{}", str(error), _text_of(letter)
            )
        shown = format_html_join("", "{}", ((_row(row),) for row in rows[:_MAX_ROWS]))
        more = len(rows) - _MAX_ROWS
        return shown if more <= 0 else format_html("{}<p>… and {} more rows.</p>", shown, more)

    @admin.display(description="payload")
    def payload_shown(self, letter: DeadLetter) -> SafeString:
        """The payload as folded JSON."""
        text = json.dumps(letter.payload, indent=1, ensure_ascii=False)
        return format_html(
            "<details><summary>{} characters of JSON</summary><pre>{}</pre></details>",
            len(text),
            _cut(letter, text),
        )

    @admin.display(description="traceback")
    def trace(self, letter: DeadLetter) -> SafeString:
        return format_html("<pre>{}</pre>", letter.traceback or "–")

    def find(self, rows: "QuerySet[DeadLetter]", text: str) -> "QuerySet[DeadLetter] | None":
        """The dead letters whose key begins with the parts in `text`; None if no key can.

        A token finds the chats and messages of the application, a chat number those of the chat.
        """
        parts = key_parts(text, 3)
        if parts is None:
            return None
        order = ("-parent", "-number", "-pk")
        rows = rows.filter(letters_of(parts[0]))
        if len(parts) == 3:
            return rows.filter(parent=parent_name(parts[:2]), number=parts[2]).order_by(*order)
        name = parent_name(parts)
        if len(parts) == 2:
            return rows.filter(parent=name).order_by(*order)
        # The token itself, and everything after "/": the next character is "0".
        return rows.filter(parent__gte=name, parent__lt=f"{name}0").order_by(*order)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingest.change_deadletter")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ingest.delete_deadletter")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """Add a button for each action that the user may take."""
        context["letter_actions"] = self.get_actions(request)
        return super().render_change_form(request, context, *args, **options)

    @admin.action(
        description="Replay selected dead letters: store their rows", permissions=["replay"]
    )
    def replay(self, request: HttpRequest, letters: "QuerySet[DeadLetter]") -> None:
        """Replay each letter; one that fails again stays, with the new reason."""
        self._process(request, letters, replay, "Replayed")

    @admin.action(
        description="Discard selected dead letters: delete their rows for good",
        permissions=["discard"],
    )
    def discard(self, request: HttpRequest, letters: "QuerySet[DeadLetter]") -> HttpResponse | None:
        page = confirmation_page(self, request, letters.defer(*self.not_listed), _DISCARD)
        if page is None:
            self._process(request, letters, discard, "Discarded")
        return page

    def _process(
        self,
        request: HttpRequest,
        letters: "QuerySet[DeadLetter]",
        work: Callable[[DeadLetter], object],
        done: str,
    ) -> None:
        found = list(letters)
        if not found:
            self.message_user(request, "The selected letters no longer exist.", messages.WARNING)
        for letter in found:
            try:
                work(letter)
            except StillSetAside as error:
                write(request.user, [letter], CHANGE, f"{done} without success: {error}")
                self.message_user(
                    request, f"{letter.title} stays set aside: {error}", messages.ERROR
                )
            except (DatabaseError, InterfaceError) as error:
                message = f"{letter.title} was not processed, because the database failed: {error}"
                self.message_user(request, message, messages.ERROR)
                return
            else:
                write(request.user, [letter], DELETION, f"{done}.")
                self.message_user(request, f"{done}: {letter.title}", messages.SUCCESS)
