"""Two runs of one import at the same time: each line is stored once."""

from collections.abc import Iterator
from itertools import product

import pytest

from tests.conversations.inputs import Input, changed, first_lines, kept
from tests.conversations.runs import Run
from tests.conversations.transactions import LOST, Transactions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_batches")]


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
        one.file.write_bytes(first_lines(content, 70))

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
        one.file.write_bytes(first_lines(content, 70))

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
