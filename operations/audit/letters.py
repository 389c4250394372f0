"""Dead letters: what was accepted and is not stored waits there for an operator."""

from collections.abc import Iterator, Sequence

from infra.natural_keys import in_pieces
from ingest.dead_letters.models import DeadLetter
from ingest.late_rows import is_purged
from ingest.records import record_types
from operations.audit.checks import Walk
from operations.audit.findings import Finding, error, info

PAGE = 500


def dead_letters(walk: Walk) -> Iterator[Finding]:
    """All of them: an error, unless nothing that was accepted is missing."""
    last = walk.after[0] if walk.after else 0
    rows = DeadLetter.objects.order_by("pk").defer("payload", "traceback")
    while page := list(rows.filter(pk__gt=last)[:PAGE]):
        stored = _stored(page)
        for letter in page:
            yield _told(letter, is_stored=letter.acceptance.hex in stored)
        last = page[-1].pk
        walk.reached([last], len(page))


def _told(letter: DeadLetter, *, is_stored: bool) -> Finding:
    what = f"dead letter {letter.pk}, {letter.kind} {letter.number or ''}: {letter.reason}"
    key = letter.key[:2] if isinstance(letter.key, list) else ()
    if is_stored:
        return info("dead_letters", key, f"{what}; stored by now, a replay removes it")
    if _has_place(letter) and is_purged(tuple(letter.key)):
        return info("dead_letters", key, f"{what}; purged by now, a replay removes it")
    # The row of a document is in its table, and the check of the index finds what is missing there.
    if letter.kind not in record_types() and letter.number is not None:
        return info("dead_letters", key, what)
    return error("dead_letters", key, what)


def _has_place(letter: DeadLetter) -> bool:
    """Whether a row can have its key."""
    kind = record_types().get(letter.kind)
    return bool(kind and letter.number and len(letter.key) == len(kind.key_fields))


def _stored(letters: Sequence[DeadLetter]) -> set[str]:
    """The acceptances of those that are in their tables."""
    found: set[str] = set()
    for kind in record_types().values():
        keys = [one.key for one in letters if one.kind == kind.name and _has_place(one)]
        for wanted in in_pieces(kind.key_fields, keys):
            rows = kind.model._default_manager.filter(wanted)
            found |= {acceptance.hex for acceptance in rows.values_list("acceptance", flat=True)}
    return found
