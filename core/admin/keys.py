"""Searches in the admin: by the key of a row or its beginning, as an index can answer them.

`TOKEN`, `TOKEN 5`, `TOKEN 5 12` or the same with slashes: each part must be exactly what it is in
the API's addresses. What is found is sorted by the rest of the key, newest first, so that one range
of the index is the list.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

from django.db.models import Model, QuerySet

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
