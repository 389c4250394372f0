"""The HTTP edge: the server's bounds, the way from ASGI to a view and back, problem documents."""
