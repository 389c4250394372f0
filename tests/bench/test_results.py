"""latest.json has the latest value of each figure; a step that fails leaves the older ones."""

import threading
from pathlib import Path
from typing import Any

import pytest

from bench import BenchError, results
from bench import __main__ as command
from bench.commands import COMMANDS, Command
from bench.report import Figure, Results
from bench.summary import page

MACHINE = {"processors": 2, "memory_gib": 24.0}


def _write(folder: Path, step: str, commit: str, **values: float) -> None:
    figures = {name: Figure(value, "ms", {"other": 2.0}) for name, value in values.items()}
    results.write(step, Results(figures, {}), commit, is_quick=False, folder=folder)


def test_a_step_replaces_its_own_figures_alone(tmp_path: Path) -> None:
    _write(tmp_path, "one", "aaa", first=1.0, gone=2.0)
    _write(tmp_path, "two", "aaa", second=3.0)
    _write(tmp_path, "one", "bbb", first=4.0)

    figures = results.latest(tmp_path)["figures"]

    assert {name: (one["value"], one["commit"]) for name, one in figures.items()} == {
        "first": (4.0, "bbb"),
        "second": (3.0, "aaa"),
    }
    assert figures["first"]["unit"] == "ms"
    assert figures["first"]["ratio_to"] == {"other": 2.0}
    assert figures["first"]["at"] > "2026"


def test_nothing_was_measured_yet(tmp_path: Path) -> None:
    assert results.latest(tmp_path) == {"figures": {}}


def _figure(commit: str, *, is_quick: bool = False) -> dict[str, Any]:
    return {
        "value": 500.0,
        "unit": "requests/s",
        "ratio_to": {"sync": 9.0},
        "at": "2026-11-30T12:00:00+00:00",
        "commit": commit,
        "step": "post",
        "is_quick": is_quick,
    }


def test_the_page_says_which_figures_are_older_than_the_newest_commit() -> None:
    figures = {"post_message_rps": _figure("aaa"), "other_rps": _figure("bbb", is_quick=True)}

    lines = "\n".join(page({"figures": figures, "machine": MACHINE}, "bbb", None))

    assert "The newest commit is bbb. Older are the figures of `post` (aaa)." in lines
    assert "| `post_message_rps` | 500 | requests/s | older: aaa |" in lines
    assert "| `other_rps` | 500 | requests/s | short run |" in lines
    assert "| POST message / sync | ≥ 8 | 9 | yes | older: aaa |" in lines


def test_the_page_says_when_all_figures_are_of_the_newest_commit() -> None:
    figures = {"post_message_rps": _figure("aaa")}

    lines = page({"figures": figures, "machine": MACHINE}, "aaa", None)

    assert "All figures are of the newest commit, aaa." in lines


def test_all_measurements_end_in_time() -> None:
    budgets = [(one.budget or 0, one.quick_budget or 0) for one in COMMANDS.values()]
    full, quick = map(sum, zip(*budgets, strict=True))

    # The start of the stack takes the rest of 55 and of 5 minutes.
    assert full == 3190
    assert quick == 270


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three commands: one that fails, one that takes too long, one that works; what was run."""
    done: list[str] = []

    def run(name: str, _values: object, *, quick: bool) -> None:
        done.append(name)
        if name == "fails":
            raise ZeroDivisionError
        if name == "slow":
            threading.Event().wait(10)

    names = ("fails", "slow", "works", "left out")
    budgets = (5, 1, 5, None)
    commands = {
        name: Command("nowhere:nothing", "", {}, budget, budget)
        for name, budget in zip(names, budgets, strict=True)
    }
    monkeypatch.setattr(command, "COMMANDS", commands)
    monkeypatch.setattr(command, "_run", run)
    monkeypatch.setattr(command, "_summarize", lambda: done.append("summary"))
    return done


def test_a_step_that_fails_or_takes_too_long_leaves_the_others_their_turn(
    measured: list[str],
) -> None:
    with pytest.raises(BenchError, match="failed: fails, slow"):
        command._all(quick=False)

    assert measured == ["fails", "slow", "works", "summary"]
