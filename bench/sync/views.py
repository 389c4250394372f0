"""Its one route."""

from django.db import transaction
from django.utils import timezone
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.stock_message import MessageSerializer
from bench.sync.models import Chat, Message


class MessageCollection(APIView):
    """The messages of one chat."""

    def post(self, request: Request, token: str, number: int) -> Response:
        """Lock the chat, number the row, insert it."""
        serializer = MessageSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        now = timezone.now()
        with transaction.atomic():
            locked = Chat._default_manager.select_for_update()
            chat = get_object_or_404(locked, application_token=token, chat_number=number)
            chat.messages_count += 1
            chat.save(update_fields=["messages_count"])
            message = Message._default_manager.create(
                application_token=token,
                chat_number=number,
                message_number=chat.messages_count,
                body=serializer.validated_data["body"],
                created_at=now,
                updated_at=now,
            )
        return Response(MessageSerializer(message).data, status=201)
