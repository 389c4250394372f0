"""What each of the servers serves: the product, and beside it one long answer."""

from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from api.asgi import CONNECTION
from bench.servers_compared.clients import STREAM_PATH
from chatsystem.asgi import application as _product

_CHUNK = bytes(64 * 1024)
_CHUNKS = 1024


class _Whole:
    """Spares servers that tell nothing of their connections a second look at each create."""

    is_request_whole = True
    is_spare = False


_WHOLE = _Whole()


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer one request."""
    known: Any = scope
    if scope["type"] == "http" and scope["path"] == STREAM_PATH:
        await _stream(send)
        return
    known["extensions"] = {CONNECTION: _WHOLE} | (known.get("extensions") or {})
    await _product(scope, receive, send)


async def _stream(send: ASGISendCallable) -> None:
    await send({
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/octet-stream")],
        "trailers": False,
    })  # fmt: skip
    for _ in range(_CHUNKS):
        await send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
