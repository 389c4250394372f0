"""From table to index: no row is skipped, and any order of work is safe."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from infra.rabbitmq.publisher import WakeUp
from infra.rabbitmq.queues import SEARCH
from ingest.bulk_insert import bulk_insert
from ingest.idempotent_insert import store_rows
from ingest.models import DeadLetter
from ingest.records import Key, NumberedRow
from messages_app.models import Message
from search import backlog
from search.errors import IndexUnavailable, NoIndex
from search.index.bulk_writing import REMOVED, Change, write
from search.index.documents import Content, contents
from search.index.layout import layout
from search.indexer import index_batch
from search.models import BacklogEntry
from tests.api.client import Api
from tests.pipeline.proxy import Proxy
from tests.rows import new_message
from tests.search.index import SearchIndex


def key_of(chat: str, number: int) -> Key:
    _, _, token, _, chat_number = chat.split("/")
    return (token, int(chat_number), number)


def row_of(key: Key) -> NumberedRow:
    token, chat_number, number = key
    return new_message(str(token), int(chat_number), "x").numbered(int(number))


def stored(chat: str, number: int) -> "QuerySet[Message]":
    token, chat_number, message_number = key_of(chat, number)
    return Message.objects.filter(
        application_token=token, chat_number=chat_number, message_number=message_number
    )


def row(chat: str, number: int) -> Content:
    [content] = contents(stored(chat, number))
    return content


def test_what_is_stored_or_edited_is_recorded_with_it(api: Api, index: SearchIndex) -> None:
    chat = api.new_chat()
    api.say(chat, "one", "two")
    api.patch(f"{chat}/messages/1", {"body": "three"})

    assert [entry.keys for entry in BacklogEntry.objects.order_by("pk")] == [
        [[*key_of(chat, number), number]] for number in (1, 2, 1)
    ]


def test_rows_stored_together_are_one_entry_of_ranges_an_application(
    api: Api, index: SearchIndex
) -> None:
    application = api.new_application()
    chat, sibling = api.new_chat(application), api.new_chat(application)
    stranger = key_of(api.new_chat(), 1)
    places = [(chat, 1), (chat, 2), (sibling, 7), (chat, 4), (chat, 3), (chat, 9)]
    keys = [key_of(*place) for place in places]

    store_rows([row_of(key) for key in [*keys, stranger]])

    entries = {entry.application_token: entry.keys for entry in BacklogEntry.objects.all()}
    first, last, alone = key_of(chat, 1), key_of(chat, 9), key_of(sibling, 7)
    assert entries == {
        first[0]: [[*first, 4], [*last, 9], [*alone, 7]],
        stranger[0]: [[*stranger, 1]],
    }
    found = backlog.oldest()
    assert found is not None
    assert sorted(found.keys) == sorted([*keys, stranger])


def test_what_is_rolled_back_was_never_recorded(api: Api, index: SearchIndex) -> None:
    chat = api.new_chat()
    taken = row_of(key_of(chat, 1))
    store_rows([taken])
    BacklogEntry.objects.all().delete()

    with pytest.raises(IntegrityError), transaction.atomic():
        bulk_insert([row_of(key_of(chat, 2)), taken])

    assert not BacklogEntry.objects.exists()


def test_without_elasticsearch_nothing_is_recorded(api: Api) -> None:
    api.say(api.new_chat(), "one")

    assert not BacklogEntry.objects.exists()


def test_late_repeated_and_reordered_work_is_harmless(api: Api, index: SearchIndex) -> None:
    chat = api.new_chat()
    api.say(chat, "old")
    old = Change(key_of(chat, 1), row(chat, 1))
    api.put(f"{chat}/messages/1", {"body": "new"})
    index.keep_up()

    assert write([old, old], layout().targets) == []

    assert (index.source(old.key) or {})["body"] == "new"


def test_a_row_that_is_gone_leaves_the_index_and_does_not_come_back(
    api: Api, index: SearchIndex
) -> None:
    chat = api.new_chat()
    api.say(chat, "gone", "stays")
    late = Change(key_of(chat, 1), row(chat, 1))
    index.keep_up()
    stored(chat, 1).delete()
    backlog.record([late.key, key_of(chat, 55)])
    index.keep_up()

    assert write([late], layout().targets) == []

    assert index.source(late.key) is None
    assert index.source(key_of(chat, 2)) is not None
    assert late.version < REMOVED


def test_a_document_that_is_refused_is_set_aside_and_holds_up_no_other(
    api: Api, index: SearchIndex
) -> None:
    chat = api.new_chat()
    api.say(chat, "good", "wrong", "good too")
    # The column has no sign, the field has one.
    Message.objects.filter(message_number=2, chat_number=1).update(message_number=2**63 + 5)
    bad = (*key_of(chat, 1)[:2], 2**63 + 5)
    backlog.record([bad])

    index.keep_up()

    assert not BacklogEntry.objects.exists()
    assert index.source(key_of(chat, 1))
    assert index.source(key_of(chat, 3))
    letter = DeadLetter.objects.get()
    assert (letter.kind, letter.key, letter.payload) == ("search", list(bad), {"version": 1})
    assert letter.application_token == bad[0]
    assert "message_number" in letter.reason
    assert "wrong" not in letter.reason


@pytest.mark.parametrize("how", ["closed", "frozen"])
def test_nothing_is_lost_while_elasticsearch_is_away(
    api: Api, index: SearchIndex, way: Proxy, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.index.client.SEARCH_PATIENT_SECONDS", 0.3)
    monkeypatch.setattr(layout, "__defaults__", (0.3,))
    chat = api.new_chat()
    api.say(chat, "one")
    if how == "closed":
        way.close()
    else:
        way.freeze()
    with pytest.raises(IndexUnavailable):
        index_batch()
    assert BacklogEntry.objects.count() == 1

    if how == "closed":
        way.open()
    else:
        way.thaw()
    index.keep_up()

    assert index.source(key_of(chat, 1)) is not None


def test_nothing_is_lost_while_there_is_no_index_and_none_makes_itself(
    api: Api, index: SearchIndex
) -> None:
    chat = api.new_chat()
    api.say(chat, "one", "two")
    targets = layout().targets
    index.wipe()

    with pytest.raises(NoIndex):
        index_batch()
    with pytest.raises(NoIndex):
        write([Change(key_of(chat, 1), row(chat, 1))], targets)

    assert BacklogEntry.objects.count() == 2
    assert index.names() == set()


def test_the_worker_is_woken_after_the_commit_and_seldom(
    api: Api,
    index: SearchIndex,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    sent: list[str] = []

    class Publisher:
        def publish(self, queue: str, headers: dict[str, str], _body: bytes) -> None:
            sent.append(f"{queue} {headers['task']}")

    monkeypatch.setattr("infra.rabbitmq.publisher.publisher", Publisher)
    wake_up = WakeUp(SEARCH, "search.tasks.index")
    monkeypatch.setattr(backlog, "notify_indexer", wake_up.send)
    chat = api.new_chat()
    with django_capture_on_commit_callbacks(execute=False) as callbacks:
        api.say(chat, *("x" for _ in range(20)))
    assert not sent
    a_broker = {"broker_url": "amqp://127.0.0.1"}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=a_broker)

    for callback in callbacks:
        callback()

    # Others listen to commits, too.
    assert [one for one in sent if one.startswith(SEARCH)] == ["search search.tasks.index"]
