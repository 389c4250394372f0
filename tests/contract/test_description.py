"""The API does what its description says, by requests that schemathesis makes from it."""

import subprocess
from pathlib import Path

import pytest

from tests.live.servers import ROOT

#: Of each operation, and of each way from one to another. The limit is for a busy machine.
EXAMPLES = 8
LIMIT_S = 240


@pytest.mark.parametrize("phases", ["coverage,fuzzing", "stateful"])
def test_every_check_of_schemathesis_holds(base_url: str, phases: str, tmp_path: Path) -> None:
    command = [str(ROOT / ".venv/bin/schemathesis"), "run", f"{base_url}/api/v1/schema"]
    command += ["--checks", "all", "--phases", phases, "--max-examples", str(EXAMPLES)]
    command += ["--generation-database", "none", "--report-dir", str(tmp_path), "--no-color"]

    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )

    assert result.returncode == 0, result.stdout[-10_000:]
    assert " passed" in result.stdout
