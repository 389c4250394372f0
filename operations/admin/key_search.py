"""Searches in the admin: by the key of a row or its beginning, as an index can answer them.

`TOKEN`, `TOKEN 5`, `TOKEN 5 12` or the same with slashes: each part must be exactly what it is in
the API's addresses. What is found is sorted by the rest of the key, newest first, so that one range
of the index is the list.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from django.db.models import Model, QuerySet

from api.views import CHAT_NUMBER, MESSAGE_NUMBER, TOKEN
from ingest.dead_letters.models import DeadLetter
from ingest.redis_keys import parent_name

Row = TypeVar("Row", bound=Model)


def rows_by_key(rows: "QuerySet[Row]", key: Mapping[str, str], text: str) -> "QuerySet[Row] | None":
    """The rows whose key begins as `text` does; None when no key can.

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
    """Dead letters whose key begins as `text` does; None when no key can.

    Of an application they are its chats' and their messages', of a chat its messages'.
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
    # "/" and what follows it: "0" is the next character.
    return rows.filter(parent__gte=name, parent__lt=f"{name}0").order_by(*order)
