"""Search finds no purged message."""

import pytest

from ingest.idempotent_insert import store_rows
from search.index_check import check
from tests.api.client import Api
from tests.purging.conftest import old_chat
from tests.rows import new_message
from tests.search.index import SearchIndex

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_purged_message_is_not_found_even_if_it_comes_again(api: Api, index: SearchIndex) -> None:
    chat = old_chat(api.new_chat())
    api.say(chat.path, "one apple", "two apples", "three apples")
    index.keep_up()
    chat.grow_old(1, 2)
    first = chat.message(1).get()
    row = new_message(
        chat.token, 1, first.body, acceptance=first.acceptance.hex, accepted_at=first.created_at
    )

    chat.purge()
    store_rows([row.numbered(1)])
    index.keep_up()

    found = api.get(f"{chat.path}/messages/search", query="apple")
    assert found["Search-Backend"] == "elasticsearch"
    assert [one["message_number"] for one in found.json()["results"]] == [3]
    assert index.source((chat.token, 1, 1)) is None
    assert list(check()) == []
