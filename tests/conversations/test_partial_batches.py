"""A batch of which only some transactions were committed: its repeat stores each line once.

Applications may lie on different shards, so an import commits them one by one, and may be stopped
between any two.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError

from applications.models import Application
from conversations import import_lines, shares
from conversations.models import Import, ImportedApplication, ImportShare, RejectedLine
from messages_app.models import Message
from tests.conversations.inputs import (
    Input,
    added,
    changed,
    complaints,
    figures,
    first_lines,
    kept,
)
from tests.conversations.runs import Run, imported, run_import, told
from tests.conversations.texts import as_line
from tests.conversations.transactions import Transactions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_batches")]

#: Tables whose rows lie on the shard of their application, and those that are on none.
SHARDED = {
    "applications",
    "chats",
    "messages",
    "events",
    "number_skips",
    "import_shares",
    "import_rejected_lines",
    "imported_chats",
}
UNSHARDED = {"imports", "imported_applications"}


def test_stopped_after_any_transaction_the_repeat_stores_and_reports_the_same(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], transactions: Transactions
) -> None:
    expected, run, count = whole
    assert count >= 2 * (1 + 2 + 1 + 1) - 1
    skipped = set()
    for after in range(1, count + 1):
        one = next(inputs)
        one.stop(transactions, after)
        again = one.run()
        assert one.stored == expected.stored
        assert kept(one) == kept(expected)
        assert added(again) == added(run)
        skipped.add(again.result["skipped"])
        if not again.result["skipped"]:
            assert figures(again) == figures(run)
            assert complaints(again) == complaints(run)
    assert len(skipped) == 3  # none, one, or both batches
    of_shares = ImportShare.objects.exclude(application_token="")
    assert Application.objects.count() == of_shares.count()


def test_stopped_again_and_again_it_ends_right(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], transactions: Transactions
) -> None:
    expected, _, count = whole
    one = next(inputs)
    after, stops = 1, 0
    while Import.objects.filter(source=one.name, lines_done__gte=100).count() == 0:
        one.stop(transactions, after)
        after, stops = after + 1, stops + 1
        assert stops < count
    assert stops >= 4
    assert one.run().error is None
    assert one.stored == expected.stored


def test_an_application_that_fails_stops_none_before_it(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], transactions: Transactions
) -> None:
    expected, run, _ = whole
    one = next(inputs)

    def fail(number: int) -> None:
        if number == 3:  # the token, the first application, the second one
            raise OperationalError(1205, "Lock wait timeout exceeded")

    transactions.count, transactions.before = 0, fail
    assert "Lock wait timeout" in str(one.run().error)
    transactions.before = lambda _: None
    assert len(one.stored) == 1
    [share] = ImportShare.objects.filter(of__source=one.name)
    [progress] = Import.objects.filter(source=one.name)
    assert (progress.lines_done, progress.lines_begun) == (0, share.lines_done)
    refused = RejectedLine.objects.filter(of=progress)
    assert {line.application_token for line in refused} <= {share.application_token}
    assert refused.count() == (3 if one.is_export else 0)

    again = one.run()
    assert (figures(again), added(again)) == (figures(run), added(run))
    assert complaints(again) == complaints(run)
    assert one.stored == expected.stored


def test_a_token_that_was_given_is_used_by_the_repeat(
    inputs: Iterator[Input], transactions: Transactions
) -> None:
    one = next(inputs)
    one.stop(transactions, after=1)
    given = set(ImportedApplication.objects.values_list("application_token", flat=True))
    assert len(given) == 3
    assert not Application.objects.exists()

    assert one.run().error is None

    assert set(Application.objects.values_list("token", flat=True)) == given


def test_a_token_that_was_given_is_used_by_another_import_of_the_name(
    tmp_path: Path, transactions: Transactions
) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        file.write_bytes(as_line(("a", "c", file.name)).encode())
    Input(files[0], "one", is_export=False).stop(transactions, after=1)

    imported(files[1])
    imported(files[0], name="one")

    assert [told(one.token) for one in Application.objects.all()] == [
        b"".join(as_line(("a", "c", name)).encode() for name in ("two", "one"))
    ]


@pytest.mark.parametrize("lines", [30, 1000])
def test_batches_of_another_size_change_nothing(
    lines: int,
    inputs: Iterator[Input],
    whole: tuple[Input, Run, int],
    transactions: Transactions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected, run, count = whole
    for after in range(1, count, 2):
        one = next(inputs)
        monkeypatch.setattr(import_lines, "MAX_LINES", 100)
        one.stop(transactions, after)
        monkeypatch.setattr(import_lines, "MAX_LINES", lines)
        again = complaints(one.run())
        assert again == complaints(run)[len(complaints(run)) - len(again) :]
        assert one.stored == expected.stored


def test_a_file_that_has_grown_since_is_continued(
    inputs: Iterator[Input], transactions: Transactions
) -> None:
    """Its last batch was stored in part, and has more lines now."""
    one, whole = next(inputs), next(inputs)
    content = one.file.read_bytes()
    one.file.write_bytes(first_lines(content, 70))
    assert whole.run().error is None

    one.stop(transactions, after=3)
    one.file.write_bytes(content)

    assert one.run().error is None
    assert one.stored == whole.stored


def test_a_last_line_that_was_rejected_for_want_of_its_end_is_imported_later(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], transactions: Transactions
) -> None:
    expected, _, _ = whole
    for after in range(1, 6):
        one = next(inputs)
        content = one.file.read_bytes()
        lines = content.splitlines(keepends=True)
        one.file.write_bytes(first_lines(content, 70) + lines[70][:-9])
        one.stop(transactions, after)
        one.file.write_bytes(content)

        assert one.run().error is None
        assert one.stored == expected.stored
        assert kept(one) == kept(expected)


def test_a_transaction_that_is_repeated_finds_nothing_of_its_first_attempt(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chats that the first attempt created are gone, also from memory."""
    expected, _, _ = whole
    one = next(inputs)
    lines_done: list[int] = []

    def fail_at_first(*arguments: Any) -> None:
        lines_done.append(arguments[2])
        if len(lines_done) % 2:
            raise IntegrityError(1062, "Duplicate entry")
        add_to_share(*arguments)

    add_to_share = shares._add_to_share
    monkeypatch.setattr(shares, "_add_to_share", fail_at_first)
    assert one.run().error is None
    assert len(lines_done) > 8
    assert one.stored == expected.stored


def test_other_lines_are_refused_where_the_batch_is_stored_in_part(
    inputs: Iterator[Input], transactions: Transactions
) -> None:
    one, whole = next(inputs), next(inputs)
    content = one.file.read_bytes()
    one.stop(transactions, after=2)
    before = Message.objects.count()
    shorter = first_lines(content, 50)
    for other, how in [
        (changed(content, at=40), "the input begins with different ones"),
        (shorter, "the input has only 50"),
    ]:
        one.file.write_bytes(other)
        run = one.run()
        assert "some of the first 100 lines were imported earlier" in str(run.error)
        assert how in str(run.error)
    one.file.write_bytes(gzip.compress(content)[:400])
    assert "the gzip is truncated" in str(one.run().error)
    assert Message.objects.count() == before

    one.file.write_bytes(content)
    assert one.run().error is None
    assert whole.run().error is None
    assert one.stored == whole.stored


def test_other_lines_are_imported_where_nothing_of_the_batch_is_stored(
    inputs: Iterator[Input], transactions: Transactions
) -> None:
    one = next(inputs)
    one.stop(transactions, after=1)
    one.file.write_bytes(changed(one.file.read_bytes(), at=40))

    assert one.run().error is None


def test_an_import_that_an_earlier_release_began_is_continued(
    inputs: Iterator[Input], whole: tuple[Input, Run, int]
) -> None:
    """Its shares have no progress, and its rejected lines no application."""
    expected, _, _ = whole
    one = next(inputs)
    content = one.file.read_bytes()
    one.file.write_bytes(first_lines(content, 70) + b'{"typ')
    first = one.run()
    assert first.result["lines"] == 71
    [progress] = Import.objects.filter(source=one.name)
    Import.objects.filter(pk=progress.pk).update(lines_begun=0, begun_digest="")
    RejectedLine.objects.filter(of=progress).update(application_token="")
    shares = ImportShare.objects.filter(of=progress)
    shares.filter(application_token="").delete()
    shares.update(lines_done=0)

    one.file.write_bytes(content)
    second = one.run()

    assert second.result["skipped"] == 70
    assert one.stored == expected.stored
    assert kept(one) == kept(expected)


def test_a_restart_that_is_interrupted_leaves_nothing_that_counts(
    inputs: Iterator[Input], transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = next(inputs)
    one.stop(transactions, after=3)
    with monkeypatch.context() as patches:
        patches.setattr("conversations.import_run.ImportShare.objects", None)
        with pytest.raises(AttributeError):
            run_import(one.file, name=one.name, restart=True)
    assert kept(one) == []

    assert one.run().result["skipped"] == 0


def test_a_restart_forgets_all_of_an_import(inputs: Iterator[Input]) -> None:
    one = next(inputs)
    one.run()
    earlier = Import.objects.get().pk

    assert run_import(one.file, name=one.name, restart=True).result["skipped"] == 0

    assert Import.objects.get().pk != earlier
    assert not ImportShare.objects.filter(of_id=earlier).exists()
    assert not RejectedLine.objects.filter(of_id=earlier).exists()


def test_each_transaction_concerns_one_application_and_says_which(
    inputs: Iterator[Input], transactions: Transactions
) -> None:
    assert next(inputs).run().error is None

    for statements in transactions.statements:
        tables = {table for one in statements for table in one.tables}
        assert tables <= SHARDED or tables <= UNSHARDED
        if tables <= SHARDED:
            assert len({token for one in statements for token in one.tokens}) == 1
            for one in statements:
                # Django shows the statements of an `executemany` without their values.
                assert one.tokens or not one.condition or '"token" = %s' in one.condition
