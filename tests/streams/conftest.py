"""An application and a chat of a real server."""

import httpx
import pytest

from tests.live.servers import eventually
from tests.streams.log import WITHIN, log


@pytest.fixture
def application(http: httpx.Client) -> str:
    token = http.post("/applications", json={"name": "x"}).json()["token"]
    return f"/applications/{token}"


@pytest.fixture
def chat(http: httpx.Client, application: str) -> str:
    made = http.post(f"{application}/chats", json={"name": "x"}).json()
    chat = f"{application}/chats/{made['chat_number']}"
    eventually(lambda: log(http, application), WITHIN, "the chat is stored")
    return chat
