"""Bad bytes never cause an HTML page or a failure, and the next request is answered."""

import json

import pytest

from tests.live.bad_bytes import BAD_BYTES, BadBytes
from tests.live.raw import exchange, raw

#: What a server may say before the application is asked: malformed, or more than it takes.
#: 501 is what HTTP has for a transfer coding that a server doesn't know (RFC 9112, section 6.1).
OF_THE_SERVER = {400, 408, 411, 413, 414, 417, 431, 501, 505}


@pytest.mark.parametrize("bad", BAD_BYTES, ids=str)
def test_bad_bytes_are_refused_and_hurt_nobody(server_url: str, bad: BadBytes) -> None:
    answer = exchange(server_url, bad.request, hang_up=bad.hang_up)

    assert b"<html" not in answer.body.lower()
    if answer.status == 0:
        assert bad.hang_up
    else:
        assert answer.status in {bad.status, *OF_THE_SERVER}
        if answer.status >= 400:
            problem = json.loads(answer.body)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert problem["status"] == answer.status
            assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert exchange(server_url, raw("GET", b"/health/live")).body == b'{"status":"ok"}'
