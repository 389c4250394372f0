"""docs/walkthrough.md works as written on the real services."""

import os
import re

import pytest

from tests.docs.console import ROOT, assert_goes_as_shown, steps_of

pytestmark = pytest.mark.stack

TOUR = "docs/walkthrough.md"
#: Whoever runs these tests has the stack up, and wants it to stay so.
START, STOP = "make stack-up", "make stack-down"


def test_the_tour_goes_as_shown() -> None:
    steps = [step for step in steps_of(TOUR) if step.command not in {START, STOP}]

    assert_goes_as_shown(steps, folder=ROOT, environment=os.environ)


def test_the_tour_begins_and_ends_with_what_the_tests_start_and_stop_the_stack_by() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipes = dict(re.findall(r"^([a-z-]+):.*\n\t@(.*)$", makefile, re.MULTILINE))
    tests = (ROOT / "scripts" / "test").read_text()
    commands = [step.command for step in steps_of(TOUR)]

    assert (commands[0], commands[-1]) == (START, STOP)
    assert recipes["stack-up"] == "scripts/stack up" in tests
    assert recipes["stack-down"] == "scripts/stack down" in tests
