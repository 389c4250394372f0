"""Two cases of the matrix on clusters: the writer is lost, and writes that no replica had."""

from pathlib import Path

import pytest

from chaos.cluster.cases import cases
from chaos.running import run

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("case", ["kill-mariadb-1", "unreplicated-writes"])
def test_a_case(case: str, tmp_path: Path) -> None:
    outcome = run(cases()[case], 20, tmp_path)

    assert outcome.violations == []
    assert outcome.healed_after is not None or outcome.not_run
