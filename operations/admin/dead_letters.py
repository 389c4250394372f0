"""What a dead letter holds, for people: its rows with their texts, or the bytes as text.

A letter may hold hundreds of rows of 16 KiB each; a page shows so much of it as can be read there,
and says where the rest is to be had.

Dead letters: what was accepted and could not be stored, shown readable; replay and discard.
"""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ingest.dead_letters.consumer import MESSAGE
from ingest.dead_letters.models import DeadLetter
from ingest.dead_letters.replay import StillSetAside, as_object, discard, replay, rows_in
from ingest.message_format import UnknownFormat
from ingest.records import NumberedRow, record_types
from operations.admin.cells import conversation_link, folded, preview
from operations.admin.confirmation import Question, question_page
from operations.admin.key_search import letters_by_key
from operations.admin.lists import ReadOnlyAdmin
from operations.admin.log import CHANGE, DELETION, note

_MOST_ROWS = 50
_MOST_CHARACTERS = 64 * 1024


def rows_held(letter: DeadLetter) -> SafeString:
    """Each row with its key, the time of its acceptance and its text."""
    if letter.kind != MESSAGE and letter.kind not in record_types():
        return format_html("A note of {}, and no row.", letter.kind)
    try:
        rows = rows_in(letter)
    except UnknownFormat as error:
        return format_html("<p>It cannot be read: {}</p>{}", str(error), _text_of(letter))
    shown = format_html_join("", "{}", ((_row(row),) for row in rows[:_MOST_ROWS]))
    more = len(rows) - _MOST_ROWS
    return shown if more <= 0 else format_html("{}<p>… and {} rows more.</p>", shown, more)


def payload_of(letter: DeadLetter) -> SafeString:
    """The payload as JSON, unfolded on demand."""
    text = json.dumps(letter.payload, indent=1, ensure_ascii=False)
    return format_html(
        "<details><summary>{} characters of JSON</summary><pre>{}</pre></details>",
        len(text),
        _cut(letter, text),
    )


def _row(row: NumberedRow) -> SafeString:
    return format_html(
        '<div class="held"><p>{} {}, accepted {} UTC</p>{}</div>',
        row.kind.name,
        "/".join(map(str, row.key)),
        f"{row.accepted_at:%Y-%m-%d %H:%M:%S}",
        folded("\n".join(map(str, row.values))),
    )


def _text_of(letter: DeadLetter) -> SafeString:
    """The bytes of a message from a queue."""
    if letter.kind != MESSAGE:
        return SafeString("")
    try:
        text = str(as_object(letter)["text"])
    except (KeyError, TypeError, ValueError):
        return SafeString("")
    return format_html("<pre>{}</pre>", _cut(letter, text))


def _cut(letter: DeadLetter, text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    rest = f"\n… cut off; all of it: manage.py dead_letters show {letter.pk}"
    return text[:_MOST_CHARACTERS] + rest


_DISCARD = Question(
    action="discard",
    title="Discard dead letters",
    warning="What these letters hold is given up for good. The numbers of their rows are recorded "
    "as skipped, so an audit takes them for no loss.",
)


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin[DeadLetter]):
    """The latest first; which of them is to be replayed or discarded is chosen by hand."""

    actions = ("replay", "discard")
    change_form_template = "operations/admin/dead_letter.html"
    list_display = ("set_aside_at", "kind", "place", "why")
    not_listed = ("payload", "traceback")
    search_fields = ("parent",)
    search_help_text = (
        "Search by TOKEN, by TOKEN CHAT or by TOKEN CHAT MESSAGE, with spaces or slashes between."
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
        """The key, and for a message of a chat the way there."""
        key = "/".join(map(str, letter.key)) or "–"
        if len(letter.key) == 3 and letter.number:
            return conversation_link(letter.key[0], letter.key[1], key, letter.number)
        return preview(key)

    @admin.display(description="reason")
    def why(self, letter: DeadLetter) -> SafeString:
        """As far as a list has room for it."""
        return preview(letter.reason)

    @admin.display(description="what it holds")
    def holds(self, letter: DeadLetter) -> SafeString:
        """Row by row, as far as it can be read."""
        return rows_held(letter)

    @admin.display(description="payload")
    def payload_shown(self, letter: DeadLetter) -> SafeString:
        """As it was kept."""
        return payload_of(letter)

    @admin.display(description="traceback")
    def trace(self, letter: DeadLetter) -> SafeString:
        """Where it failed, if it was an error."""
        return format_html("<pre>{}</pre>", letter.traceback or "–")

    def find(self, rows: "QuerySet[DeadLetter]", text: str) -> "QuerySet[DeadLetter] | None":
        """By the key of what was set aside."""
        return letters_by_key(rows, text)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Who may change dead letters."""
        return request.user.has_perm("ingest.change_deadletter")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Who may delete dead letters."""
        return request.user.has_perm("ingest.delete_deadletter")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """With a button for each action that the user may take."""
        context["letter_actions"] = self.get_actions(request)
        return super().render_change_form(request, context, *args, **options)

    @admin.action(description="Replay: store what they hold", permissions=["replay"])
    def replay(self, request: HttpRequest, letters: "QuerySet[DeadLetter]") -> None:
        """Each by itself; what fails again stays, with its new reason."""
        self._do(request, letters, replay, "Replayed")

    @admin.action(description="Discard: give them up for good", permissions=["discard"])
    def discard(self, request: HttpRequest, letters: "QuerySet[DeadLetter]") -> HttpResponse | None:
        """Each by itself, once it was said that it is meant."""
        page = question_page(self, request, letters.defer(*self.not_listed), _DISCARD)
        if page is None:
            self._do(request, letters, discard, "Discarded")
        return page

    def _do(
        self,
        request: HttpRequest,
        letters: "QuerySet[DeadLetter]",
        work: Callable[[DeadLetter], object],
        done: str,
    ) -> None:
        found = list(letters)
        if not found:
            self.message_user(request, "They are no longer there.", messages.WARNING)
        for letter in found:
            try:
                work(letter)
            except StillSetAside as error:
                note(request, letter, CHANGE, f"{done} in vain: {error}")
                self.message_user(
                    request, f"{letter.title} stays set aside: {error}", messages.ERROR
                )
            except (DatabaseError, InterfaceError) as error:
                message = f"{letter.title} was not reached: the database failed: {error}"
                self.message_user(request, message, messages.ERROR)
                return
            else:
                note(request, letter, DELETION, f"{done}.")
                self.message_user(request, f"{done}: {letter.title}", messages.SUCCESS)
