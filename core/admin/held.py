"""What a dead letter holds, for people: its rows with their texts, or the bytes as text.

A letter may hold hundreds of rows of 16 KiB each; a page shows so much of it as can be read there,
and says where the rest is to be had.
"""

import json

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core.accept.envelope import UnknownFormat
from core.accept.failed import MESSAGE
from core.accept.letters import as_object
from core.accept.models import DeadLetter
from core.accept.replaying import rows_of
from core.admin.cells import folded
from core.rows import NumberedRow, kinds

_MOST_ROWS = 50
_MOST_CHARACTERS = 64 * 1024


def rows_held(letter: DeadLetter) -> SafeString:
    """Each row with its key, the time of its acceptance and its text."""
    if letter.kind != MESSAGE and letter.kind not in kinds():
        return format_html("A note of {}, and no row.", letter.kind)
    try:
        rows = rows_of(letter)
    except UnknownFormat as error:
        return format_html("<p>It cannot be read: {}</p>{}", str(error), _text_of(letter))
    shown = format_html_join("", "{}", ((_row(row),) for row in rows[:_MOST_ROWS]))
    more = len(rows) - _MOST_ROWS
    return shown if more <= 0 else format_html("{}<p>… and {} rows more.</p>", shown, more)


def payload_of(letter: DeadLetter) -> SafeString:
    """The payload as JSON, unfolded on demand."""
    text = json.dumps(letter.payload, indent=1, ensure_ascii=False)
    return format_html(
        "<details><summary>{} characters of JSON</summary><pre>{}</pre></details>",
        len(text),
        _cut(letter, text),
    )


def _row(row: NumberedRow) -> SafeString:
    return format_html(
        '<div class="held"><p>{} {}, accepted {} UTC</p>{}</div>',
        row.kind.name,
        "/".join(map(str, row.key)),
        f"{row.accepted_at:%Y-%m-%d %H:%M:%S}",
        folded("\n".join(map(str, row.values))),
    )


def _text_of(letter: DeadLetter) -> SafeString:
    """The bytes of a message from a queue."""
    if letter.kind != MESSAGE:
        return SafeString("")
    try:
        text = str(as_object(letter)["text"])
    except (KeyError, TypeError, ValueError):
        return SafeString("")
    return format_html("<pre>{}</pre>", _cut(letter, text))


def _cut(letter: DeadLetter, text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    rest = f"\n… cut off; all of it: manage.py dead_letters show {letter.pk}"
    return text[:_MOST_CHARACTERS] + rest
