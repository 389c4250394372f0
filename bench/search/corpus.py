"""Messages to search: those of a file of conversations, else generated ones of many scripts.

A corpus larger than its source repeats it under further applications, so that the chats stay as
large as they are and only the index grows.
"""

import gzip
import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from bench import texts

_GENERATED = 100_000
_GENERATED_PER_CHAT = 400


@dataclass(frozen=True, slots=True)
class Said:
    """One message and its place."""

    token: str
    chat: int
    number: int
    body: str


def corpus(messages: int) -> Iterator[Said]:
    """So many messages; the first ones are the same whatever their number."""
    source = list(_source())
    return islice(_repeated(source), messages)


def source_name() -> str:
    """Where the bodies come from, for a report."""
    return Path(os.environ["CONVERSATIONS"]).name if _is_given() else "generated text"


def _is_given() -> bool:
    return bool(os.environ.get("CONVERSATIONS"))


def _repeated(source: list[tuple[str, str, str]]) -> Iterator[Said]:
    for repetition in count():
        applications: dict[str, int] = {}
        chats: dict[tuple[str, str], int] = {}
        numbers: defaultdict[tuple[str, str], int] = defaultdict(int)
        for application, chat, body in source:
            place = applications.setdefault(application, len(applications))
            number = chats.setdefault((application, chat), len(chats) + 1)
            numbers[application, chat] += 1
            yield Said(f"{repetition:012x}{place:012x}", number, numbers[application, chat], body)


def _source() -> Iterator[tuple[str, str, str]]:
    if not _is_given():
        for place, body in enumerate(texts.bodies(_GENERATED)):
            yield "generated", str(place // _GENERATED_PER_CHAT), body
        return
    with gzip.open(os.environ["CONVERSATIONS"], "rt", encoding="utf-8") as lines:
        for line in lines:
            said = json.loads(line)
            yield said["application"], said["chat"], said["body"]


def queries(said: list[Said], length: int, how_many: int, seed: int = 7) -> list[tuple[Said, str]]:
    """Substrings of this length of messages drawn at random, with the message of each."""
    source = random.Random(seed)
    found: list[tuple[Said, str]] = []
    while len(found) < how_many:
        one = source.choice(said)
        if len(one.body) >= length:
            start = source.randrange(len(one.body) - length + 1)
            found.append((one, one.body[start : start + length]))
    return found
