"""The routes of streams and of their tokens."""

from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import re_path
from django.utils import timezone
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from api.requests import FormParser, idempotent_request, replay_headers
from api.streaming import StreamResponse
from api.views import APPLICATIONS, CHAT_NUMBER, TOKEN, ApiView, json_response
from applications.key_holders import Identity
from applications.models import Application
from applications.services import get_application
from chats.models import Chat
from chats.records import CHATS
from events.pages import Position, parse_position, read_position
from events.streams.access import Access, open_streams
from events.streams.hub import hub
from events.streams.metrics import RESUMED
from events.streams.schema import describe_chat_stream, describe_stream, describe_stream_tokens
from events.streams.stream import EventStream
from events.streams.tokens import (
    StreamToken,
    new_stream_token,
    read_chat_number,
    read_seconds,
    read_stream_token,
)
from infra.addresses import network_of
from infra.errors import Malformed
from ingest import read_your_writes
from ingest.idempotency.records import make_once
from ingest.records import timestamp
from listing.pages import query_parameters
from messages_app.models import Message


class EventStreamRenderer(BaseRenderer):
    """The media type of a stream, for the choice by Accept; it renders nothing."""

    media_type = "text/event-stream"
    format = "event-stream"
    charset = "utf-8"


@describe_stream
class ApplicationStream(ApiView):
    """Everything that happens in one application, as it happens."""

    models = (Chat, Message)
    renderer_classes = (EventStreamRenderer,)
    _stream_token: StreamToken | None = None

    def perform_authentication(self, request: Request) -> None:
        """Take a stream token for a key. Raises AuthenticationFailed, ApplicationNotFound."""
        # A broken query says nothing before the key is known: `get` refuses it.
        with suppress(Malformed):
            parameters = query_parameters(request)
            self._stream_token = read_stream_token(parameters, self.kwargs["token"])
        if self._stream_token is None:
            super().perform_authentication(request)
        else:
            # Keys and their holders are the users here (applications.authentication).
            identity: Any = Identity(self._stream_token.application_token)
            request.user = identity

    def get(self, request: Request, token: str, chat_number: str | None = None) -> HttpResponse:
        """Begin behind the event that the client has seen last, or now."""
        position = _position(request, query_parameters(request))
        number = None if chat_number is None else int(chat_number)
        application = get_application(token=token)
        access = self._access(request, application, number)
        if number is not None:
            read_your_writes.get(CHATS, (token, number))
        address = network_of(request.META.get("REMOTE_ADDR", ""))
        open_streams.check(token, address)
        if position is not None:
            RESUMED.inc()
        stream = EventStream(hub, application, number, position, access, address)
        return StreamResponse(stream, f"{EventStreamRenderer.media_type}; charset=utf-8")

    def _access(
        self, request: Request, application: Application, chat_number: int | None
    ) -> Access:
        if self._stream_token is not None:
            return self._stream_token.access(application, chat_number)
        if not settings.ENVIRONMENT.keys_required or request.auth is None:
            return Access()
        identity: Any = request.user
        is_operator = identity.application_token is None
        key_hash = str(request.auth)
        return Access(operator_key_hash=key_hash) if is_operator else Access(key_hash)


@describe_chat_stream
class ChatStream(ApplicationStream):
    """What happens in one chat, as it happens."""


@describe_stream_tokens
class StreamTokenCollection(ApiView):
    """Tokens for the streams of one application."""

    models = (Chat, Message)
    actions = {**ApiView.actions, "POST": "view"}

    def post(self, request: Request, token: str) -> HttpResponse:
        """Make one, for the application or for one chat."""
        once = idempotent_request(request)
        data = _fields(request)
        chat_number, seconds = read_chat_number(data), read_seconds(data)
        application = get_application(token=token)
        if chat_number is not None:
            read_your_writes.get(CHATS, (token, chat_number))
        # A token follows from the request and its time, so a repeat gets the same one.
        made_at = make_once(token, once, lambda _: "").at if once else timezone.now()
        made = new_stream_token(application, chat_number, made_at, seconds)
        return json_response(
            {"token": made.encoded(), "expires_at": timestamp(made.expires_at)},
            HTTPStatus.CREATED,
            replay_headers(once),
        )


def _position(request: Request, parameters: Mapping[str, str]) -> Position | None:
    """The place behind which the stream begins; None is the end. Raises Invalid.

    A browser repeats the address when it connects again, so what it has seen last counts first.
    """
    seen = request.META.get("HTTP_LAST_EVENT_ID")
    return parse_position(seen, "Last-Event-ID") if seen else read_position(parameters)


def _fields(request: Request) -> Mapping[str, object]:
    """The fields of the request; decimal digits in a form are numbers."""
    data = request.data
    if not isinstance(data, dict):
        return {}
    if request.content_type.partition(";")[0].strip().lower() != FormParser.media_type:
        return data
    return {name: int(text) if _is_number(text) else text for name, text in data.items()}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


_STREAM = rf"{APPLICATIONS}/{TOKEN}"

urlpatterns = [
    re_path(rf"{_STREAM}/stream/?\Z", ApplicationStream.as_view()),
    re_path(rf"{_STREAM}/chats/{CHAT_NUMBER}/stream/?\Z", ChatStream.as_view()),
    re_path(rf"{_STREAM}/stream-tokens/?\Z", StreamTokenCollection.as_view()),
]
