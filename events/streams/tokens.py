"""Stream tokens: a browser page opens one stream with one, without the application's key.

A token is signed, not stored. It names the application, the chat if it is for one, its end, and a
part of the hash of the application's key: another key makes it invalid.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.signing import BadSignature, Signer
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied

from applications.models import Application, ApplicationNotFound
from events.streams.access import Access
from infra.errors import FieldError, Invalid
from ingest.read_your_writes import MAX_NUMBER

LONGEST_SECONDS = 3600
PARAMETER = "access_token"

#: Characters of the key's hash: enough to tell keys apart, too few to help anyone.
_KEY_CHARACTERS = 16

_signer = Signer(salt="events.stream-token")


@dataclass(frozen=True, slots=True)
class StreamToken:
    """What a token opens, and until when."""

    application_token: str
    chat_number: int | None
    expires_at: datetime
    key: str

    def encoded(self) -> str:
        """The token as text."""
        return _signer.sign_object(
            [
                self.application_token,
                self.chat_number,
                int(self.expires_at.timestamp()),
                self.key,
            ]
        )

    def access(self, application: Application, chat_number: int | None) -> Access:
        """The access of a stream. Raises AuthenticationFailed, PermissionDenied."""
        if self.key != _key_of(application):
            raise AuthenticationFailed("The stream token is not valid any more.")
        if self.chat_number not in (None, chat_number):
            raise PermissionDenied("This stream token opens the stream of one chat alone.")
        left = (self.expires_at - timezone.now()).total_seconds()
        return Access(key_hash=application.key_hash, expires_at=time.monotonic() + left)


def new_stream_token(
    application: Application, chat_number: int | None, made_at: datetime, seconds: int
) -> StreamToken:
    """A token that is valid for this time from `made_at` on."""
    # Whole seconds, as the token has them.
    expires_at = made_at.replace(microsecond=0) + timedelta(seconds=seconds)
    return StreamToken(application.token, chat_number, expires_at, _key_of(application))


def read_stream_token(parameters: Mapping[str, str], token: str) -> StreamToken | None:
    """The token of a request to this application; None without one.

    Raises AuthenticationFailed, and ApplicationNotFound for a token of another application.
    """
    text = parameters.get(PARAMETER)
    if text is None:
        return None
    try:
        application_token, chat_number, expires_at, key = _signer.unsign_object(text)
    except (BadSignature, ValueError) as error:
        raise AuthenticationFailed("The stream token is not valid.") from error
    found = StreamToken(
        application_token,
        chat_number,
        datetime.fromtimestamp(expires_at, tz=timezone.get_default_timezone()),
        key,
    )
    if found.expires_at <= timezone.now():
        raise AuthenticationFailed("The stream token has expired.")
    if found.application_token != token:
        raise ApplicationNotFound
    return found


def read_seconds(data: Mapping[str, object]) -> int:
    """The field `seconds` of a request; the longest time without it. Raises Invalid."""
    seconds = data.get("seconds", LONGEST_SECONDS)
    if type(seconds) is not int or not 1 <= seconds <= LONGEST_SECONDS:
        message = f"seconds must be a whole number from 1 to {LONGEST_SECONDS}."
        raise Invalid(FieldError("seconds", "invalid", message))
    return seconds


def read_chat_number(data: Mapping[str, object]) -> int | None:
    """The field `chat_number` of a request; None without it. Raises Invalid."""
    if "chat_number" not in data:
        return None
    number = data["chat_number"]
    if type(number) is not int or not 1 <= number <= MAX_NUMBER:
        message = "chat_number must be the number of a chat."
        raise Invalid(FieldError("chat_number", "invalid", message))
    return number


def _key_of(application: Application) -> str:
    return (application.key_hash or "")[:_KEY_CHARACTERS]
