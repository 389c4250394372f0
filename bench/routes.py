"""Requests to each route of a chat, and their mix, drawn at random with a fixed seed.

The stock designs (bench.rivals) have the product's addresses. They page and sort by the parameters
of Django REST framework.
"""

import random
from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from bench import texts
from bench.product import Chat
from bench.wrk import Request

#: Messages in a page: the default of the product, and the setting of the stock designs.
PAGE = 50
#: Different bodies in the chats that are read, so that each search has a page of hits.
DIFFERENT_TEXTS = 500
#: Of a hundred requests of a mix, by route.
MIX: Mapping[str, int] = {"newest": 60, "item": 20, "create": 15, "search": 4, "edit": 1}
#: The tag of a message that was never edited.
_FIRST_TAG = '"1"'


class Asker:
    """Draws requests to messages 1 to `messages` of these chats.

    `is_stock`: in the form of the stock designs. `with_keys`: each request has the key of its
    application, in place of any other header.
    """

    def __init__(
        self,
        chats: Sequence[Chat],
        messages: int,
        *,
        is_stock: bool = False,
        with_keys: bool = False,
    ) -> None:
        self._chats, self._messages = chats, messages
        self._is_stock, self._with_keys = is_stock, with_keys
        self._random = random.Random(11)
        self._bodies = texts.bodies(DIFFERENT_TEXTS)
        self._searched = texts.searched(self._bodies)
        self._routes = {
            "item": self._item,
            "unchanged": self._unchanged,
            "page": self._page,
            "newest": self._newest,
            "search": self._search,
            "create": self._create,
            "edit": self._edit,
        }

    def requests(self, route: str, count: int) -> list[Request]:
        """So many requests of one route. Raises KeyError if there is none of this name."""
        make = self._routes[route]
        return [
            self._keyed(make(chat), chat) for chat in self._random.choices(self._chats, k=count)
        ]

    def mix(self, count: int) -> list[Request]:
        """Requests of all routes by their shares, in a random order."""
        found = [
            request
            for route, share in MIX.items()
            for request in self.requests(route, round(count * share / 100))
        ]
        self._random.shuffle(found)
        return found

    def _keyed(self, request: Request, chat: Chat) -> Request:
        if not self._with_keys:
            return request
        return request._replace(header=f"Authorization: Bearer {chat.key}")

    def _item(self, chat: Chat) -> Request:
        """Any message."""
        return Request("GET", f"{chat.messages_path}/{self._number()}")

    def _unchanged(self, chat: Chat) -> Request:
        """Any message, by a client that has it already."""
        return self._item(chat)._replace(header=f"If-None-Match: {_FIRST_TAG}")

    def _page(self, chat: Chat) -> Request:
        """A full page anywhere in the chat."""
        after = self._random.randint(0, self._messages - PAGE)
        query = f"cursor={_cursor(after)}" if self._is_stock else f"after={after}"
        return Request("GET", f"{chat.messages_path}?{query}")

    def _newest(self, chat: Chat) -> Request:
        """The page of the newest messages."""
        query = "ordering=-message_number" if self._is_stock else "order=desc"
        return Request("GET", f"{chat.messages_path}?{query}")

    def _search(self, chat: Chat) -> Request:
        """The newest hits."""
        text = quote(self._random.choice(self._searched))
        return Request("GET", f"{chat.messages_path}/search?query={text}")

    def _create(self, chat: Chat) -> Request:
        return Request("POST", chat.messages_path, {"body": self._body()})

    def _edit(self, chat: Chat) -> Request:
        """Another body for any message."""
        path = f"{chat.messages_path}/{self._number()}"
        return Request("PATCH", path, {"body": self._body()})

    def _number(self) -> int:
        return self._random.randint(1, self._messages)

    def _body(self) -> str:
        return self._random.choice(self._bodies)


def _cursor(position: int) -> str:
    """A cursor of DRF's CursorPagination: the page behind this message number."""
    return quote(b64encode(f"p={position}".encode()).decode())
