"""The index finds exactly what a scan of the chat finds, in order, on all pages."""

import os
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from messages_app.models import Message
from search.fold_and_highlight import fold
from tests.api.client import Api
from tests.api.test_paging import shown
from tests.conversations.runs import imported
from tests.conversations.texts import as_lines, conversations
from tests.search.index import SearchIndex
from tests.search.test_equivalence import is_part, whole_characters

GENERATED_MESSAGES = 4000
QUERIES = 500

Chat = Mapping[int, str]

#: Few enough characters that texts repeat themselves and each other: letters of several cases and
#: widths in UTF-8 and UTF-16, one that folds to two, marks, space of several kinds, operators.
ALPHABET = 'aAbßẞİıſΣσςдДéx각\u1161\u0301\u0323 \n\u3000你好\U0001f600\U0001f3fd\u200d*?"\\%_:-'
texts = st.text(ALPHABET, min_size=1, max_size=40) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
)
bodies = texts.filter(lambda text: not text.isspace())


def found(api: Api, chat: str, query: str, limit: int) -> Iterator[int]:
    """All hits, page by page."""
    page = api.get(f"{chat}/messages/search", query=query, limit=limit)
    while True:
        assert page["Search-Backend"] == "elasticsearch"
        yield from shown(page.json())
        if page.json()["next"] is None:
            return
        page = api.get(page.json()["next"])


def folded(chat: Chat) -> Chat:
    """The bodies of a chat as they are searched, newest first."""
    return {number: fold(body) for number, body in sorted(chat.items(), reverse=True)}


def scanned(folded_bodies: Chat, query: str) -> list[int]:
    """The same by looking at every message."""
    folded_query = fold(query)
    return [number for number, body in folded_bodies.items() if folded_query in body]


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), said=st.lists(bodies, min_size=1, max_size=20))
def test_any_text_is_found_by_any_part_of_it(
    api: Api, index: SearchIndex, data: st.DataObject, said: list[str]
) -> None:
    chat = api.new_chat()
    messages = folded(dict(zip(api.say(chat, *said), said, strict=True)))
    index.keep_up()

    for body in data.draw(st.lists(st.sampled_from(said), min_size=1, max_size=5)):
        start = data.draw(st.integers(0, len(body) - 1))
        end = data.draw(st.integers(start + 1, len(body)))
        for query in (body[start:end], data.draw(texts)):
            assert list(found(api, chat, query, 3)) == scanned(messages, query), query


@pytest.mark.django_db(transaction=True)  # it takes longer than a tablet lets a transaction be
def test_conversations_are_found_by_substrings_drawn_at_random(
    api: Api, index: SearchIndex, tmp_path: Path
) -> None:
    """Of the file that CONVERSATIONS names, else of generated ones."""
    file = Path(os.environ.get("CONVERSATIONS") or tmp_path / "generated.jsonl")
    if not file.exists():
        file.write_bytes(as_lines(conversations(GENERATED_MESSAGES)))
    imported(file)
    index.keep_up()
    chats: defaultdict[str, dict[int, str]] = defaultdict(dict)
    rows = Message.objects.values_list("application_token", "chat_number", "message_number", "body")
    for token, chat, number, body in rows:
        chats[f"/applications/{token}/chats/{chat}"][number] = body
    searched = {path: folded(chat) for path, chat in chats.items()}
    # Chat by chat, or nearly all would be of the largest application.
    source = random.Random(5)
    for _ in range(QUERIES):
        path, chat_messages = source.choice(list(chats.items()))
        message, body = source.choice(list(chat_messages.items()))
        length = min(source.randint(1, 30), len(body))
        start = source.randint(0, len(body) - length)
        query = body[start : start + length]

        hits = list(found(api, path, query, source.randint(1, 200)))

        # A part that cuts a whole character is none.
        is_part_of_it = is_part(whole_characters(query), whole_characters(body))
        assert (message in hits) == is_part_of_it, query
        assert hits == scanned(searched[path], query), query
