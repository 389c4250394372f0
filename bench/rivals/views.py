"""The views that create messages in the other designs, and those that do nothing."""

import json
import os
from typing import Any, ClassVar

import redis
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.rivals.models import Chat, Message
from bench.rivals.tasks import store, store_and_index
from bench.services import services

_NAME = os.environ["BENCH_RIVAL"]
# Connects when it is first used.
_redis = redis.Redis.from_url(services().scratch_redis_url)


class MessageSerializer(serializers.Serializer[object]):
    """A message on its way in and out."""

    message_number = serializers.IntegerField(read_only=True)
    application_token = serializers.CharField(read_only=True)
    chat_number = serializers.IntegerField(read_only=True)
    body = serializers.CharField(max_length=16384, trim_whitespace=False)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class BodySerializer(serializers.Serializer[dict[str, str]]):
    """Takes a body and gives it back."""

    body = serializers.CharField()


_BODY = "hello my order has not arrived yet could you please check the tracking number"


@csrf_exempt
def noop_django(
    request: HttpRequest, token: str, number: int, message_number: int = 1
) -> JsonResponse:
    """Answer with a message: that of the JSON, or one that is always the same."""
    is_create = request.method == "POST"
    message = {
        "application_token": token,
        "chat_number": number,
        "message_number": message_number,
        "body": json.loads(request.body)["body"] if is_create else _BODY,
    }
    return JsonResponse(message, status=201 if is_create else 200)


class NoopDrf(APIView):
    """A stock DRF view that does nothing else."""

    def post(self, request: Request, token: str, number: int) -> Response:
        """Validate, and answer."""
        serializer = BodySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.data, status=201)


class _Create(APIView):
    """What DRF's tutorial makes of it; `accept` numbers and keeps the message."""

    def post(self, request: Request, token: str, number: int) -> Response:
        """Validate, accept, and answer."""
        serializer = MessageSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        now = timezone.now()
        message = Message(
            application_token=token,
            chat_number=number,
            body=serializer.validated_data["body"],
            created_at=now,
            updated_at=now,
        )
        self.accept(message)
        return Response(MessageSerializer(message).data, status=201)

    def accept(self, message: Message) -> None:
        raise NotImplementedError


class Textbook(_Create):
    """Queues each row."""

    task: ClassVar[Any] = store

    def accept(self, message: Message) -> None:
        """Number the row by Redis, and queue it."""
        token, number = message.application_token, message.chat_number
        message.message_number = int(_redis.incr(f"{_NAME}:{token}:{number}"))
        accepted_at = message.created_at.isoformat()
        self.task.delay(token, number, message.message_number, message.body, accepted_at)


class TextbookIndexed(Textbook):
    """Queues each row, whose task also indexes it."""

    task = store_and_index


class Sync(_Create):
    """Stores each row in its request."""

    def accept(self, message: Message) -> None:
        """Lock the chat, number the row, and insert it."""
        token, number = message.application_token, message.chat_number
        with transaction.atomic():
            locked = Chat._default_manager.select_for_update()
            chat = get_object_or_404(locked, application_token=token, chat_number=number)
            chat.messages_count += 1
            chat.save(update_fields=["messages_count"])
            message.message_number = chat.messages_count
            message.save(force_insert=True)
