"""Its one route."""

import redis
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.services import services
from bench.stock_message import MessageSerializer
from bench.textbook.names import KEY_PREFIX
from bench.textbook.tasks import store

_redis = redis.Redis.from_url(services().scratch_redis_url)


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
