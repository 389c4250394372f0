"""Searches in the admin by the key of a row or its beginning, so that an index answers them.

`TOKEN`, `TOKEN 5`, `TOKEN 5 12` or the same with slashes: each part must be complete, as in the
API's URLs. The result is sorted by the rest of the key, newest first, so it is one range of the
index.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from django.db.models import Model, QuerySet

from api.views import CHAT_NUMBER, MESSAGE_NUMBER, TOKEN
from ingest.models import DeadLetter
from ingest.redis_keys import parent_name

Row = TypeVar("Row", bound=Model)


def rows_by_key(rows: "QuerySet[Row]", key: Mapping[str, str], text: str) -> "QuerySet[Row] | None":
    """The rows whose key begins with the parts in `text`; None if no key can.

    `key` maps the columns of the key, in order, to the pattern of their values.
    """
    parts = text.replace("/", " ").split()
    columns = list(key)
    patterns = list(key.values())
    if not 1 <= len(parts) <= len(key):
        return None
    if not all(map(re.fullmatch, patterns, parts)):
        return None
    rest = columns[len(parts) :] or ["pk"]
    begins = dict(zip(columns, parts, strict=False))
    return rows.filter(**begins).order_by(*(f"-{column}" for column in rest))


def letters_by_key(rows: "QuerySet[DeadLetter]", text: str) -> "QuerySet[DeadLetter] | None":
    """The dead letters whose key begins with the parts in `text`; None if no key can.

    A token finds the chats and messages of the application, a chat number the messages of the chat.
    """
    parts = text.replace("/", " ").split()
    patterns = (TOKEN, CHAT_NUMBER, MESSAGE_NUMBER)
    if not 1 <= len(parts) <= 3 or not all(map(re.fullmatch, patterns, parts)):
        return None
    order = ("-parent", "-number", "-pk")
    if len(parts) == 3:
        return rows.filter(parent=parent_name(parts[:2]), number=parts[2]).order_by(*order)
    name = parent_name(parts)
    if len(parts) == 2:
        return rows.filter(parent=name).order_by(*order)
    # The token itself, and everything after "/": the next character is "0".
    return rows.filter(parent__gte=name, parent__lt=f"{name}0").order_by(*order)
