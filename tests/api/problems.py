"""What every response to a bad request has in common."""

from http import HTTPStatus
from typing import Any


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem document of an answer in this process."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "request_id",
        "errors",
    }
    assert (body["status"], body["title"]) == (status, HTTPStatus(status).phrase)
    assert body["type"]
    assert body["detail"]
    assert body["instance"].startswith("/")
    assert body["request_id"] == answer["X-Request-ID"]
    assert all(set(error) == {"field", "code", "message"} for error in body["errors"])
    return body
