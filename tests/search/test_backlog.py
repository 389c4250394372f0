"""The backlog's table: an entry belongs to one application, and few statements do the work."""

from collections.abc import Sequence

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from ingest.idempotent_insert import store_rows
from ingest.records import Key
from search import backlog
from search.models import BacklogEntry
from tests.rows import new_message

A, B, C = ("a" * 24, "b" * 24, "c" * 24)


@pytest.fixture(autouse=True)
def recorded(db: None, settings: Settings) -> None:
    """Changes are recorded; nothing indexes them."""
    with_index = {"elasticsearch_url": "http://127.0.0.1:9"}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=with_index)


def entries() -> list[tuple[str, Sequence[object]]]:
    return [(entry.application_token, entry.keys) for entry in BacklogEntry.objects.order_by("pk")]


def entry_of_before(*keys: Key) -> None:
    """As the release before writes it: messages of any applications, and no token."""
    ranges = [[*key, key[-1]] for key in keys]
    BacklogEntry.objects.create(keys=ranges, recorded_at=timezone.now())


def oldest() -> backlog.Entries:
    found = backlog.oldest()
    assert found is not None
    return found


def test_a_batch_is_an_entry_of_each_application_in_one_statement(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    keys: list[Key] = [(B, 1, 3), (A, 2, 7), (B, 1, 4), (C, 1, 1), (A, 1, 9), (B, 1, 3)]

    with django_assert_num_queries(1):
        backlog.record(keys)

    assert entries() == [
        (A, [[A, 1, 9, 9], [A, 2, 7, 7]]),
        (B, [[B, 1, 3, 4]]),
        (C, [[C, 1, 1, 1]]),
    ]
    assert len({entry.recorded_at for entry in BacklogEntry.objects.all()}) == 1
    assert set(oldest().keys) == set(keys)


@pytest.mark.django_db(transaction=True)
def test_rows_that_are_stored_together_have_an_entry_of_each_application() -> None:
    store_rows([new_message(token, 1, "x").numbered(1) for token in (B, A)])

    assert entries() == [(A, [[A, 1, 1, 1]]), (B, [[B, 1, 1, 1]])]


def test_what_is_indexed_is_removed_in_one_statement_that_names_the_applications(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    backlog.record([(A, 1, 1), (B, 1, 1)])
    found = oldest()
    backlog.record([(A, 1, 2)])

    with django_assert_num_queries(1) as captured:
        backlog.remove(found)

    [statement] = captured.captured_queries
    assert A in statement["sql"]
    assert B in statement["sql"]
    assert entries() == [(A, [[A, 1, 2, 2]])]


def test_entries_of_the_release_before_are_read_and_removed() -> None:
    entry_of_before((A, 1, 1), (B, 1, 1))
    backlog.record([(A, 1, 2)])

    found = oldest()
    backlog.remove(found)

    assert found.keys == [(A, 1, 1), (B, 1, 1), (A, 1, 2)]
    assert entries() == []


def test_a_worker_of_the_release_before_reads_all_of_an_entry_in_its_keys() -> None:
    backlog.record([(A, 1, 1), (B, 3, 5)])

    ranges = [one for entry in BacklogEntry.objects.order_by("pk") for one in entry.keys]

    assert ranges == [[A, 1, 1, 1], [B, 3, 5, 5]]


def test_entries_of_many_applications_fill_one_request() -> None:
    many = backlog.MAX_KEYS + 50
    backlog.record([(f"{number:024x}", 1, 1) for number in range(many)])

    first = oldest()
    assert (len(first.ids), len(first.keys)) == (backlog.MAX_KEYS, backlog.MAX_KEYS)
    assert not first.are_all
    backlog.remove(first)

    rest = oldest()
    assert (len(rest.ids), rest.are_all) == (50, True)
    backlog.remove(rest)
    assert backlog.oldest() is None


def test_edits_of_the_same_message_fill_no_request_without_end() -> None:
    for _ in range(backlog.MAX_ENTRIES + 1):
        entry_of_before((A, 1, 1))

    found = oldest()

    assert (len(found.ids), len(found.keys)) == (backlog.MAX_ENTRIES, 1)
    assert not found.are_all


def test_large_entries_are_not_read_in_advance(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(backlog.PAGE + 1):
        BacklogEntry.objects.create(keys=[[A, 1, 1, backlog.MAX_KEYS]], recorded_at=timezone.now())

    with django_assert_num_queries(1):
        found = oldest()

    assert (len(found.ids), len(found.keys)) == (1, backlog.MAX_KEYS)


def test_the_entries_of_now_are_worked_off_without_those_of_later() -> None:
    backlog.record([(A, 1, 1), (B, 1, 1)])
    last, found = backlog.last_id(), oldest()
    backlog.record([(C, 1, 1)])
    assert not backlog.is_worked_off(last)

    backlog.remove(found)

    assert backlog.is_worked_off(last)
