"""Dead letters: what was accepted and could not be stored, shown readable; replay and discard."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.accept.models import DeadLetter
from core.accept.replaying import StillSetAside, discard, replay
from core.admin.cells import conversation_link, preview
from core.admin.confirming import Question, question_page
from core.admin.held import payload_of, rows_held
from core.admin.keys import letters_by_key
from core.admin.lists import ReadOnlyAdmin
from core.admin.log import CHANGE, DELETION, note

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
    change_form_template = "core/admin/dead_letter.html"
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
        return request.user.has_perm("core.change_deadletter")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Who may delete dead letters."""
        return request.user.has_perm("core.delete_deadletter")

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
