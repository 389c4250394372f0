"""Runs a script with the settings of another design, in a process as those of its server."""

import os
import subprocess
import sys
from pathlib import Path

from bench.processes import ROOT

_ENVIRONMENT = {
    "BASE_URL": "http://127.0.0.1:1",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "BROKER_URL": "amqp://127.0.0.1:1//",
    "ELASTICSEARCH_URL": "http://127.0.0.1:1",
    "DJANGO_SETTINGS_MODULE": "bench.rivals.settings",
    "BENCH_TOKENS": "",
    "BENCH_THREADS": "0",
    "BENCH_PRODUCT_SERVER": "",
}


def run_as(
    name: str, script: str, *arguments: str, has_index: bool, database: Path | None = None
) -> str:
    """Run the script as this design, on a SQLite file or in memory; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            **_ENVIRONMENT,
            "DATABASE_URL": f"sqlite:///{database}" if database else "sqlite://:memory:",
            "BENCH_RIVAL": name,
            "BENCH_INDEX": "1" if has_index else "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return done.stdout
