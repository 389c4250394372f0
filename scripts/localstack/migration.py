"""Bringing the database's tables up to date, when there is a reason to.

The reason is that something of the application is about to start, or that the migrations are not
the ones that the last run saw.
"""

import hashlib
import subprocess

from localstack import commands, environment, processes
from localstack.errors import StackError
from localstack.layout import Layout
from localstack.settings import Settings

PROGRAM = "migrate"


class Migration:
    """`manage.py migrate` for one stack."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        """Nothing is run yet."""
        self._layout = layout
        self._settings = settings
        self._stamp = layout.state / "migrations"

    def is_due(self) -> bool:
        """Whether the migrations differ from those of the last successful run."""
        return not self._stamp.exists() or self._stamp.read_text() != self._fingerprint()

    def run(self) -> None:
        """Migrate, alone: a run that outlived an interrupted `up` is ended first."""
        identity = self._layout.identity
        processes.kill(processes.of_program(identity, PROGRAM))
        fingerprint = self._fingerprint()
        log = self._layout.log(PROGRAM)
        with log.open("w") as output:
            try:
                subprocess.run(
                    commands.migrate(self._layout),
                    cwd=self._layout.checkout,
                    env=environment.process(self._layout, self._settings)
                    | processes.markers(identity, PROGRAM),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=commands.MIGRATE_LIMIT_S,
                    check=True,
                )
            except (subprocess.SubprocessError, OSError) as error:
                raise StackError(f"manage.py migrate failed: see {log}") from error
        self._stamp.write_text(fingerprint)

    def _fingerprint(self) -> str:
        files = sorted(
            path
            for pattern in ("*/migrations/*.py", "*/*/migrations/*.py")
            for path in self._layout.checkout.glob(pattern)
        )
        database = environment.application(self._settings)["DATABASE_URL"]
        seen = "\n".join([database, *(f"{path} {path.stat().st_mtime_ns}" for path in files)])
        return hashlib.sha256(seen.encode()).hexdigest()
