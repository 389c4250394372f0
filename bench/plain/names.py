"""What it calls its things on the stack's servers."""

QUEUE = "plain"
KEY_PREFIX = "plain:"
