"""`manage.py audit`: whether every guarantee that can be checked at rest holds."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from infra.commands import Interrupted, Interruption, LineCommand, interruptible
from infra.jobs import JobIsRunning
from operations.audit.findings import Finding, Severity
from operations.audit.report import Report
from operations.audit.running import audit


class Command(LineCommand):
    """Check, and change nothing."""

    help = (
        "Check what is stored against what was promised: no row twice, no number lost, none above "
        "its ceiling, counts, parents, pending rows, dead letters, idempotency keys, and that the "
        "search index equals the table. Changes nothing and may run while the system is in use: "
        "what looks wrong is looked at twice. An error needs somebody to act; information, such as "
        "numbers that were skipped as recorded, does not. What could not be reached is an error. "
        "docs/operations.md tells what each finding means. Exit status 0: nothing is wrong; 1: "
        "something is, or another audit is under way; 2: wrong usage; 130 or 143: interrupted, "
        "and --resume goes on with the rest."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json, --resume."""
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.add_argument(
            "--resume", action="store_true", help="go on with an audit that was interrupted"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Audit with a progress bar where there is a terminal."""
        try:
            with interruptible() as interruption:
                report = _audit(interruption, resume=options["resume"])
        except JobIsRunning as busy:
            raise CommandError(busy.detail) from None
        except Interrupted as interrupted:
            raise CommandError(
                f"Ended by {interrupted.name}; --resume goes on.", returncode=interrupted.status
            ) from None
        if options["json"]:
            self.print_json(report.as_object())
        else:
            self._print(report)
        if not report.ok:
            raise SystemExit(1)

    def _print(self, report: Report) -> None:
        for finding in report.findings():
            self.stdout.write(_line(finding))
        errors, infos = report.count(Severity.ERROR), report.count(Severity.INFO)
        self.stdout.write(f"{errors} errors, {infos} for information")


def _audit(interruption: Interruption, *, resume: bool) -> Report:
    with tqdm(unit=" rows", disable=None, leave=False) as bar:

        def show(check: str, passed: int) -> None:
            # A query is not broken off; between two of them is a good place to end.
            interruption.give_way()
            bar.set_description(check, refresh=False)
            bar.update(passed)

        with interruption.held():
            return audit(resume=resume, notice=show)


def _line(finding: Finding) -> str:
    where = "/".join(map(str, finding.key[:2]))
    return " ".join(filter(None, [finding.severity, finding.check, where])) + f": {finding.detail}"
