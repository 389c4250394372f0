"""The admin as users see it: addresses, the contents of lists, responses to forms."""

import html
import re
from collections.abc import Sequence
from typing import Any, cast

from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from applications.models import Application
from chats.models import Chat
from ingest.database_numbers import number_and_store
from ingest.records import NewRow
from ingest.submission import Submission
from messages_app.models import Message
from tests.rows import new_chat, new_message


def address(model: type[Model], page: str, *arguments: object) -> str:
    """The address of one of the admin's pages of a model: changelist, add, change and so on."""
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=arguments)


def listing(client: Client, model: type[Model], **query: str) -> Any:
    """The answer to a list or a search (q)."""
    return client.get(address(model, "changelist"), query)


def rows(answer: Any) -> list[Any]:
    """The rows shown on a list's page."""
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def text(answer: Any) -> str:
    """The page with its HTML escapes decoded."""
    return html.unescape(answer.content.decode())


def notices(answer: Any) -> list[str]:
    """The messages above the page's content."""
    return [str(message) for message in get_messages(answer.wsgi_request)]


def errors(answer: Any) -> dict[str, list[str]]:
    """The errors of a refused form, by field."""
    assert answer.status_code == 200, answer.status_code
    return dict(answer.context["adminform"].form.errors)


def add(client: Client, model: type[Model], **values: object) -> Any:
    """The response to a form for a new row."""
    return client.post(address(model, "add"), values)


def change(client: Client, row: Model, **values: object) -> Any:
    """The response to a form for an existing row."""
    return client.post(address(type(row), "change", row.pk), values)


def act(client: Client, action: str, *rows: Model) -> Any:
    """The response to an action on selected rows of a list."""
    selected = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(address(type(rows[0]), "changelist"), selected)


def confirm(client: Client, page: Any) -> Any:
    """Submit the form of a confirmation page."""
    context = page.context
    sent = {
        "action": context["confirmation"].action,
        "_selected_action": [row.pk for row in context["rows"]],
        context["field"]: context["token"],
    }
    [goes_to] = re.findall(r'<form method="post" action="([^"]+)"', page.content.decode())
    return client.post(html.unescape(goes_to), sent)


def new_chats(application: Application, count: int) -> Sequence[Chat]:
    """Chats of one application, by ascending number."""
    rows = [new_chat(application.token, "a chat") for _ in range(count)]
    return cast("Sequence[Chat]", _stored(rows))


def new_messages(chat: Chat, count: int, body: str = "hello") -> Sequence[Message]:
    """Messages of one chat, by ascending number."""
    rows = [new_message(chat.application_token, chat.chat_number, body) for _ in range(count)]
    return cast("Sequence[Message]", _stored(rows))


def _stored(rows: Sequence[NewRow]) -> Sequence[Model]:
    [accepted] = number_and_store([Submission(rows)])
    assert not isinstance(accepted, Exception)
    model = rows[0].record_type.model._default_manager
    found = [model.get(acceptance=row.acceptance) for row in accepted]
    assert len(found) == len(rows)
    return found
