"""What limits add to the description of each route: 429, and the headers of what is answered."""

from typing import Any

from core.http.schema import PROBLEM

_HEADERS = {
    "RateLimit-Limit": "How many requests a client may send at once.",
    "RateLimit-Remaining": "How many of them are left now.",
    "RateLimit-Reset": "Seconds until all of them are there again.",
    "Retry-After": "Seconds until one more is admitted.",
}
_TOO_MANY = {
    "description": "Too many requests; where a limit is set, each answer has RateLimit headers.",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}},
    "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS},
}


def with_limits(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """A hook of drf-spectacular."""
    result["components"]["headers"] = {
        name: {"schema": {"type": "integer"}, "description": description}
        for name, description in _HEADERS.items()
    }
    result["components"]["responses"] = {"TooManyRequests": _TOO_MANY}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["429"] = {"$ref": "#/components/responses/TooManyRequests"}
    return result
