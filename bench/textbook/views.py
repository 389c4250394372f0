"""Its one route."""

import redis
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.services import services
from bench.textbook.names import KEY_PREFIX
from bench.textbook.tasks import store

_redis = redis.Redis.from_url(services().scratch_redis_url)


class MessageSerializer(serializers.Serializer[dict[str, object]]):
    """A message on its way in and out."""

    message_number = serializers.IntegerField(read_only=True)
    application_token = serializers.CharField(read_only=True)
    chat_number = serializers.IntegerField(read_only=True)
    body = serializers.CharField(max_length=16384, trim_whitespace=False)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class MessageCollection(APIView):
    """The messages of one chat."""

    def post(self, request: Request, token: str, number: int) -> Response:
        """Number it, queue it."""
        serializer = MessageSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data["body"]
        now = timezone.now()
        message_number = _redis.incr(f"{KEY_PREFIX}{token}:{number}")
        store.delay(token, number, message_number, body, now.isoformat())
        message = {
            "message_number": message_number,
            "application_token": token,
            "chat_number": number,
            "body": body,
            "created_at": now,
            "updated_at": now,
        }
        return Response(MessageSerializer(message).data, status=201)
