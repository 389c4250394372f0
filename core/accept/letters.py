"""Dead letters as operators see them."""

from base64 import b64decode
from typing import Any

from core.accept.failed import MESSAGE
from core.accept.models import DeadLetter


def as_summary(letter: DeadLetter) -> dict[str, Any]:
    """What tells it from others, and why it is there."""
    return {
        "id": letter.pk,
        "kind": letter.kind,
        "queue": letter.queue,
        "key": letter.key,
        "acceptance": str(letter.acceptance),
        "reason": letter.reason,
        "set_aside_at": letter.set_aside_at.isoformat(),
    }


def as_object(letter: DeadLetter) -> dict[str, Any]:
    """All of it; of a message also its text, if it is one."""
    fields = {**as_summary(letter), "payload": letter.payload, "traceback": letter.traceback}
    if letter.kind == MESSAGE:
        fields["text"] = b64decode(letter.payload["body"]).decode(errors="backslashreplace")
    return fields
