"""Both read JSON and answer 201."""

import json

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


@csrf_exempt
def message_collection(request: HttpRequest, token: str, number: int) -> JsonResponse:
    """Django's."""
    body = json.loads(request.body)["body"]
    message = {"application_token": token, "chat_number": number, "message_number": 1, "body": body}
    return JsonResponse(message, status=201)


class BodySerializer(serializers.Serializer[dict[str, str]]):
    """Takes a body and gives it back."""

    body = serializers.CharField()


class MessageCollection(APIView):
    """Django REST framework's."""

    def post(self, request: Request, token: str, number: int) -> Response:
        """Validate, and answer."""
        serializer = BodySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.data, status=201)
