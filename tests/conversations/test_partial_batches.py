"""A batch of which only some transactions were committed: its repeat stores each line once.

Applications may lie on different shards, so an import commits them one by one, and may be stopped
between any two.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, OperationalError

from applications.models import Application
from conversations import import_lines, shares
from conversations.models import Import, ImportedApplication, ImportShare, RejectedLine
from messages_app.models import Message
from tests.conversations.runs import Run, exported, imported, run_import, told
from tests.conversations.texts import as_line
from tests.conversations.transactions import LOST, Transactions

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


@dataclass(frozen=True)
class Input:
    """A file in one of the formats, and the applications that it makes."""

    file: Path
    name: str
    is_export: bool

    @property
    def stored(self) -> list[bytes]:
        """The export of each application, in the order of the import."""
        shares = ImportShare.objects.filter(of__source=self.name).exclude(application_token="")
        tokens = [share.application_token for share in shares.order_by("pk")]
        assert Application.objects.filter(token__in=tokens).count() == len(tokens)
        export = exported if self.is_export else told
        return [export(token).replace(self.name.encode(), b"NAME") for token in tokens]

    def run(self) -> Run:
        """Import it."""
        return run_import(self.file, name=self.name)

    def stop(self, transactions: Transactions, after: int) -> None:
        """Import it, and stop after so many transactions."""
        transactions.count, transactions.lost = 0, after
        assert LOST in str(self.run().error)
        assert transactions.count == after
        transactions.lost = 0


@pytest.fixture(params=["named", "export"])
def inputs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Input]:
    """Equal inputs, each with applications of its own, which make two batches."""

    def make() -> Iterator[Input]:
        for number in range(1000):
            lines = named(f"input {number:03}") if request.param == "named" else export()
            file = tmp_path / f"input {number:03}"
            file.write_bytes(b"".join(lines))
            yield Input(file, file.name, request.param == "export")

    return make()


def named(suffix: str) -> Iterator[bytes]:
    """Lines of the old format: three applications in turn, with lines that are invalid."""
    for number in range(150):
        yield as_line((f"{'abc'[number % 3]} {suffix}", f"chat {number % 4}", f"{number}")).encode()
        if number % 20 == 0:
            yield b"bad\n\n"


def line(kind: str, **fields: Any) -> bytes:
    """A line of an export."""
    return (
        json.dumps({"type": kind, "created_at": "2026-01-31T12:00:00Z", **fields}).encode() + b"\n"
    )


def export() -> Iterator[bytes]:
    """Four applications, of which one is invalid and one goes on in the second batch.

    Some lines of each are refused because their numbers were given before.
    """
    for name in ("a", "b", "", "c"):
        yield line("application", name=name)
        for chat in (1, 2, 2):
            yield line("chat", chat_number=chat, name=f"chat {chat}")
        for number in range(1, 21 if name < "c" else 61):
            yield line("message", chat_number=1, message_number=number, body=f"{name}{number}")
            if number % 10 == 0:
                yield line("message", chat_number=1, message_number=number, body="again")
                yield b"bad\n\n"


def figures(run: Run) -> list[int]:
    """The numbers of lines that a run reports."""
    return [run.result[name] for name in ("lines", "messages", "rejected", "empty", "skipped")]


def added(run: Run) -> list[tuple[int, int]]:
    """The chats and messages of each application, as a run reports them."""
    return [(one["chats"], one["messages"]) for one in run.result["applications"]]


def complaints(run: Run) -> list[str]:
    """The rejected lines that a run reports, with their numbers."""
    return [one.split("/")[-1].split(":", 1)[1] for one in run.complaints.splitlines()]


def kept(of: Input) -> list[str]:
    """The rejected lines that are kept, as they are listed."""
    stdout = StringIO()
    call_command("import_conversations", "--rejected", "--name", of.name, stdout=stdout)
    return sorted(one.removeprefix(of.name) for one in stdout.getvalue().splitlines())


@pytest.fixture
def whole(inputs: Iterator[Input], transactions: Transactions) -> tuple[Input, Run, int]:
    """An input that is imported without interruption, its run, and its number of transactions."""
    one = next(inputs)
    run = one.run()
    assert run.error is None
    assert run.result["rejected"] > 5
    return one, run, transactions.count


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
    one.file.write_bytes(b"".join(content.splitlines(keepends=True)[:70]))
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
        one.file.write_bytes(b"".join(lines[:70]) + lines[70][:-9])
        one.stop(transactions, after)
        one.file.write_bytes(content)

        assert one.run().error is None
        assert one.stored == expected.stored
        assert kept(one) == kept(expected)


def test_a_rival_run_at_any_point_stores_no_line_twice(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], transactions: Transactions
) -> None:
    """It sees a part of the batch stored, and stores the rest before this run goes on."""
    expected, _, count = whole
    for at in range(1, count + 1):
        one = next(inputs)

        def rival(number: int, one: Input = one, at: int = at) -> None:
            if number == at:
                assert one.run().error is None

        transactions.count, transactions.before = 0, rival
        run = one.run()
        assert "another run of this import is ahead" in str(run.error)
        assert one.stored == expected.stored
        assert len(kept(one)) == len(kept(expected))


def test_a_rival_run_with_more_lines_stores_no_line_twice(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], transactions: Transactions
) -> None:
    """The file grows between the two, so the same line is in batches of different ends."""
    expected, _, _ = whole
    for at in range(1, 6):
        one = next(inputs)
        content = one.file.read_bytes()
        one.file.write_bytes(b"".join(content.splitlines(keepends=True)[:70]))

        def rival(number: int, one: Input = one, at: int = at, content: bytes = content) -> None:
            if number == at:
                one.file.write_bytes(content)
                assert one.run().error is None

        transactions.count, transactions.before = 0, rival
        assert "another run of this import is ahead" in str(one.run().error)
        assert one.stored == expected.stored


def test_a_rival_run_with_more_lines_may_be_stopped_too(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], transactions: Transactions
) -> None:
    """Some applications are stored as far as its lines reach, others as far as this run's."""
    expected, _, _ = whole
    for at, after in product((2, 3, 4), (2, 4)):
        one = next(inputs)
        content = one.file.read_bytes()
        one.file.write_bytes(b"".join(content.splitlines(keepends=True)[:70]))

        def rival(
            number: int,
            one: Input = one,
            at: int = at,
            after: int = after,
            content: bytes = content,
        ) -> None:
            if number == at:
                one.file.write_bytes(content)
                transactions.lost = number + after
                assert LOST in str(one.run().error)

        transactions.count, transactions.before = 0, rival
        one.run()
        assert one.run().error is None
        assert one.stored == expected.stored


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


def changed(content: bytes, *, at: int) -> bytes:
    """The same lines, but one of them has an end that was not there before."""
    lines = content.splitlines(keepends=True)
    lines[at] = lines[at].replace(b"\n", b" \n")
    return b"".join(lines)


def test_other_lines_are_refused_where_the_batch_is_stored_in_part(
    inputs: Iterator[Input], transactions: Transactions
) -> None:
    one, whole = next(inputs), next(inputs)
    content = one.file.read_bytes()
    one.stop(transactions, after=2)
    before = Message.objects.count()
    shorter = b"".join(content.splitlines(keepends=True)[:50])
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


def test_of_two_runs_with_different_lines_one_stops(
    inputs: Iterator[Input], whole: tuple[Input, Run, int], transactions: Transactions
) -> None:
    """The other one began a batch, after this run had read the progress."""
    expected, _, _ = whole
    one = next(inputs)
    content = one.file.read_bytes()
    one.file.write_bytes(changed(content, at=40))

    def rival(number: int) -> None:
        if number == 1:
            one.file.write_bytes(content)
            transactions.lost = number + 2
            assert LOST in str(one.run().error)

    transactions.count, transactions.before = 0, rival
    assert "another run of this import is ahead" in str(one.run().error)
    assert one.run().error is None
    assert one.stored == expected.stored


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
    one.file.write_bytes(b"".join(content.splitlines(keepends=True)[:70]) + b'{"typ')
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
