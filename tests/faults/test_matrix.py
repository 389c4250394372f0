"""One case of the fault matrix, run by its command."""

from pathlib import Path

import pytest

from chaos.cases import cases
from chaos.running import run

pytestmark = [pytest.mark.stack, pytest.mark.faults]


def test_a_short_case(tmp_path: Path) -> None:
    outcome = run(cases()["kill-worker"], 10, tmp_path)

    assert outcome.violations == []
    assert outcome.healed_after is not None
    assert outcome.requests > 250
    assert (tmp_path / "kill-worker.jsonl").read_text().count("\n") > outcome.requests
