"""Cutting many rows into pieces that one statement fills."""

from collections.abc import Iterator

_ROWS_AT_ONCE = 50_000


def pieces(chats: int, messages: int) -> Iterator[tuple[int, int, int, int]]:
    """All messages as rectangles: first and last chat, first and last number."""
    numbers_at_once = min(messages, _ROWS_AT_ONCE)
    chats_at_once = _ROWS_AT_ONCE // numbers_at_once
    for chat in range(1, chats + 1, chats_at_once):
        for number in range(1, messages + 1, numbers_at_once):
            last_chat = min(chat + chats_at_once - 1, chats)
            yield chat, last_chat, number, min(number + numbers_at_once - 1, messages)
