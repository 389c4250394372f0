"""What it calls its things on the stack's servers."""

QUEUE = "textbook"
KEY_PREFIX = "textbook:"
