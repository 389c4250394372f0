"""A sample of a profile belongs to the innermost function that is known."""

from bench.profile.functions import OTHER, step_of

SERVER = "_handle_connection (gunicorn/asgi/protocol.py:1370)"
HANDLER = "__call__ (api/handler.py:60)"
VIEW = "post (messages_app/views.py:40)"


def test_the_innermost_step_counts() -> None:
    stack = [SERVER, HANDLER, "dispatch (rest_framework/views.py:500)", VIEW]

    assert step_of(stack) == "view, validation, answer"
    assert step_of([*stack, "acquire (threading.py:10)"]) == "view, validation, answer"
    assert step_of([*stack, "submit (operations/accept/group.py:90)"]) == "group commit"
    assert step_of(stack[:2]) == "handler and middleware"


def test_what_is_unknown_is_other() -> None:
    assert step_of(["run (threading.py:1)"]) == OTHER
