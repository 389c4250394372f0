"""Two cases of the matrix on clusters: those in which most breaks."""

from pathlib import Path

import pytest

from chaos.cluster.cases import cases
from chaos.running import run

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("case", ["unreplicated-writes", "cut-minority"])
def test_a_case(case: str, tmp_path: Path) -> None:
    outcome = run(cases()[case], 20, tmp_path)

    assert outcome.violations == []
    assert outcome.healed_after is not None or outcome.not_run
