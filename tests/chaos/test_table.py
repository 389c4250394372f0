"""The figures counted for a load, and its row in the table."""

from dataclasses import replace

import pytest

from chaos.availability import longest_silences, shares, unavailable
from chaos.evidence import Sort, Violation
from chaos.outcome import Outcome, from_dict
from chaos.requests import Kind, Request
from chaos.table import line, markdown
from tests.chaos.stories import CHAT, done, message

SENT = [
    done(0, second, message(f"n-{second}", f"n-{second} x"), (second, "")) for second in range(10)
]
READ = done(0, 4, Request(Kind.READ, CHAT, number=1), (1, ""))


def test_shares_are_of_what_was_sent_from_then_on() -> None:
    attempts = [replace(each, status=503) if each.sent_at in {1, 8} else each for each in SENT]

    found = shares([*attempts, READ], sent_from=2)

    assert found == {"creates": 7 / 8, "reads": 1.0, "edits": 1.0}


def test_the_longest_silence_lies_between_two_successes_of_a_kind_or_at_an_end() -> None:
    gone = {3, 4, 5}
    attempts = [replace(each, status=0) if each.sent_at in gone else each for each in SENT]

    found = longest_silences([*attempts, READ])

    assert found["message"] == 4
    assert found["read"] == 5  # from its only success to the end
    assert found["edit"] == 9.5


def test_a_row_comes_back_from_json_as_it_was() -> None:
    outcome = Outcome("a-case", requests=3, violations=[Violation(Sort.GAP, "1 to 2")])

    assert from_dict(outcome.as_dict()) == outcome


def test_what_was_not_run_says_so() -> None:
    cells = line(Outcome("a-case", not_run="no root"))

    assert cells[0] == "a-case"
    assert cells[-1] == "not to be had here: no root"
    assert set(cells[1:-1]) == {"-"}


def test_violations_are_counted_by_their_sort() -> None:
    gap, lost = Violation(Sort.GAP, ""), Violation(Sort.LOST, "")
    outcome = Outcome(
        "a-case",
        requests=1,
        shares=dict.fromkeys(("creates", "reads", "edits"), 1.0),
        violations=[gap, lost, lost],
    )

    assert not outcome.is_ok
    assert outcome.verdict == "1 gap, 2 lost"
    assert len({row.count(" | ") for row in markdown([outcome])}) == 1


@pytest.mark.parametrize(
    ("required", "missing"), [(None, []), (0.98, []), (0.99, ["98.50% of the reads succeeded"])]
)
def test_what_is_required_and_not_had(required: float | None, missing: list[str]) -> None:
    found = unavailable({"creates": 1.0, "reads": 0.985}, required)

    assert [violation.detail for violation in found] == missing
