"""A load's rows in the database, the API and the index, after all are stored."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan

from chaos.client import Client
from chaos.database import query
from chaos.evidence import Stored
from chaos.parent import Parent, Row, shown_row

_PAGE = 200


def stored(tokens: Iterable[str]) -> Stored:
    """Chats and messages in the tables."""
    found: defaultdict[Parent, dict[int, str]] = defaultdict(dict)
    for token in tokens:
        chats = "SELECT chat_number, name FROM chats WHERE application_token=%s"
        found[Parent(token)] = dict(query(chats, token))
        messages = (
            "SELECT chat_number, message_number, body FROM messages WHERE application_token=%s"
        )
        for chat, number, body in query(messages, token):
            found[Parent(token, chat)][number] = body
    return found


def skips(tokens: Iterable[str]) -> Mapping[Parent, set[int]]:
    """The numbers at which numbering resumed after a recorded skip, by parent."""
    found: defaultdict[Parent, set[int]] = defaultdict(set)
    for token in tokens:
        rows = query(
            "SELECT chat_number, resumed_at FROM number_skips WHERE application_token=%s", token
        )
        for chat, resumed_at in rows:
            found[Parent(token, chat or 0)].add(resumed_at)
    return found


def dead_letters(token: str) -> list[tuple[str, str]]:
    """Key and reason of each dead letter of this application."""
    return query("SELECT `key`, reason FROM dead_letters WHERE `key` LIKE %s", f'%"{token}"%')


def listed(parents: Iterable[Parent]) -> Stored:
    """The parents' rows as the API lists them, page by page. Raises ChaosError."""
    with Client() as client:
        return {
            parent: {row.number: row.text for row in _pages(client, parent)} for parent in parents
        }


def _pages(client: Client, parent: Parent) -> Iterator[Row]:
    after = 0
    while True:
        page = client.get(f"{parent.children}?limit={_PAGE}&after={after}")["results"]
        yield from map(shown_row, page)
        if len(page) < _PAGE:
            return
        after = shown_row(page[-1]).number


def indexed(tokens: Iterable[str]) -> Stored:
    """The messages in the search index, after a refresh."""
    found: defaultdict[Parent, dict[int, str]] = defaultdict(dict)
    alias = f"{os.environ.get('ELASTICSEARCH_INDEX', 'messages')}-*-read"
    with Elasticsearch(os.environ["ELASTICSEARCH_URL"]) as client:
        client.indices.refresh(index=alias)
        for token in tokens:
            wanted = {"query": {"term": {"application_token": token}}}
            for hit in scan(client, index=alias, query=wanted, size=2000):
                row = shown_row(hit["_source"])
                found[row.parent][row.number] = row.text
    return found


def counts(tokens: Iterable[str]) -> Mapping[Parent, int]:
    """The stored count of children, by parent."""
    found: dict[Parent, int] = {}
    for token in tokens:
        [(chats,)] = query("SELECT chats_count FROM applications WHERE token=%s", token)
        found[Parent(token)] = chats
        rows = query(
            "SELECT chat_number, messages_count FROM chats WHERE application_token=%s", token
        )
        found |= {Parent(token, chat): messages for chat, messages in rows}
    return found
