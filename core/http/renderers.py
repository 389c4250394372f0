"""JSON answers by orjson; times as ISO 8601 with microseconds, in UTC."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer


class JsonRenderer(BaseRenderer):
    """UTF-8 without escapes: a client reads what was written."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The bytes of the answer; nothing for an answer without content."""
        return b"" if data is None else orjson.dumps(data)


def timestamp(moment: datetime) -> str:
    """As every route shows a time: 2026-01-31T12:00:00.000000Z."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
