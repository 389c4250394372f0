"""Stream tokens for the admin's conversation page, for staff who may read it."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from applications.models import ApplicationNotFound
from applications.services import get_application
from events.streams.tokens import PARAMETER, new_stream_token
from messages_app.admin import may_read_conversations
from operations.admin.sessions import polled

#: A stream is open for this long at most after its reader was logged out.
_SECONDS = 300


@polled
@require_GET
def conversation_token(request: HttpRequest, token: str, chat_number: str) -> JsonResponse:
    """The address of the chat's stream, and for how many seconds it can be used."""
    if not may_read_conversations(request.user):
        raise PermissionDenied
    try:
        application = get_application(token=token)
    except ApplicationNotFound as error:
        raise Http404 from error
    made = new_stream_token(application, int(chat_number), timezone.now(), _SECONDS)
    stream = f"/api/v1/applications/{token}/chats/{chat_number}/stream"
    return JsonResponse({"address": f"{stream}?{PARAMETER}={made.encoded()}", "seconds": _SECONDS})
