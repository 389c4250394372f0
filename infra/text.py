"""Text that may be shown in a terminal or a log."""

from unicodedata import category


def visible(text: str) -> str:
    """The text with escapes for everything that a terminal or a log obeys and does not show.

    These are control characters, ends of lines, directions and halves of characters. Spaces of any
    width and the joiners of scripts and emoji stay.
    """
    if text.isprintable():
        return text
    return "".join(one if _is_shown(one) else ascii(one)[1:-1] for one in text)


def _is_shown(one: str) -> bool:
    return one.isprintable() or one in "\u200c\u200d" or category(one) == "Zs"
