"""Its one route."""

from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.plain.accept import accept

_MAX_BODY_BYTES = 16384


class MessageCollection(APIView):
    """The messages of one chat."""

    def post(self, request: Request, token: str, number: int) -> Response:
        """Number it, queue it."""
        body = request.data.get("body") if isinstance(request.data, dict) else None
        if not isinstance(body, str) or not body.strip() or len(body.encode()) > _MAX_BODY_BYTES:
            raise ValidationError({"body": "is not a text of 1 to 16384 bytes"})
        now = timezone.now().isoformat()
        row: dict[str, object] = {
            "application_token": token,
            "chat_number": number,
            "body": body,
            "created_at": now,
            "updated_at": now,
        }
        return Response({"message_number": accept(token, number, row), **row}, status=201)
