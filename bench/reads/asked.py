"""Which pages of a long chat are asked for, and what each has to show."""

from dataclasses import dataclass

PAGE = 50
FIRST = "list_page1_ms"
_PLACES = (1, 1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Page:
    """One page, and the numbers that it has to show, in this order."""

    name: str
    query: str
    numbers: range


def pages_of(messages: int) -> list[Page]:
    """The first page without a cursor, then at each place that page from both sides.

    The last place is the end of the chat.
    """
    found = [Page(FIRST, "", range(1, PAGE + 1))]
    places = sorted({place for place in _PLACES if place <= messages} | {messages})
    for place in places:
        first = min(place, messages - PAGE + 1)
        end = first + PAGE
        found += [
            Page(f"list_page_at_{short(place)}_ms", f"?after={first - 1}", range(first, end)),
            Page(
                f"list_page_desc_at_{short(place)}_ms",
                f"?order=desc&before={end}",
                range(end - 1, first - 1, -1),
            ),
        ]
    return found


def short(number: int) -> str:
    """1000000 as 1m, 10000 as 10k; what is no whole thousand as it is."""
    for unit, name in ((1_000_000, "m"), (1000, "k")):
        if number and number % unit == 0:
            return f"{number // unit}{name}"
    return str(number)
