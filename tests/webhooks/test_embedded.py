"""The embedded profile delivers without a broker: beat does it."""

from pathlib import Path

import httpx
import pytest

from tests.live.servers import NO_TLS, MakeRun, eventually
from tests.webhooks.receiver import receiver

pytestmark = pytest.mark.costly


def test_make_run_delivers_within_seconds(tmp_path: Path) -> None:
    with MakeRun(tmp_path) as running, receiver() as hook:
        base = f"{running.url}/api/v1"
        with httpx.Client(base_url=base, timeout=30, verify=NO_TLS) as http:
            token = http.post("/applications", json={"name": "x"}).json()["token"]
            path = f"/applications/{token}"
            made = http.post(f"{path}/webhooks", json={"url": hook.url}).json()
            http.post(f"{path}/chats", json={"name": "x"})

            eventually(lambda: hook.received, 60, "the chat is delivered")

            hook.received[0].verify(made["secret"])
            http.post(f"{path}/webhooks/{made['id']}/test")
            eventually(lambda: len(hook.received) == 2, 60, "the test is delivered")
            assert hook.received[1].content["test"]
