"""A profile sample counts for the innermost known function."""

from bench.profiling import OTHER, step_of

SERVER = "_handle_connection (gunicorn/asgi/protocol.py:1370)"
HANDLER = "__call__ (api/handler.py:60)"
VIEW = "post (messages_app/views.py:40)"


def test_the_innermost_step_counts() -> None:
    stack = [SERVER, HANDLER, "dispatch (rest_framework/views.py:500)", VIEW]

    assert step_of(stack) == "messages_app"
    assert step_of([*stack, "acquire (threading.py:10)"]) == "messages_app"
    assert step_of([*stack, "execute (django/db/models/sql/compiler.py:90)"]) == "database client"
    assert step_of(stack[:3]) == "Django REST framework"
    assert step_of(stack[:2]) == "api"
    assert step_of(stack[:1]) == "HTTP server"


def test_what_is_unknown_is_other() -> None:
    assert step_of(["run (threading.py:1)"]) == OTHER
