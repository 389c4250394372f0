"""`manage.py audit`: check every guarantee that can be verified at rest."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from infra.commands import Interrupted, Interruption, LineCommand, interruptible
from operations.audit.checks import Finding, Report, Severity
from operations.audit.runner import audit


class Command(LineCommand):
    help = (
        "Check the stored data against the guarantees of the service: no row is stored twice, no "
        "number is lost or above its ceiling; counts, parents, pending rows, dead letters and "
        "idempotency keys are consistent; the search index equals the table. The audit changes "
        "nothing and can run while the system is in use, because it rechecks every suspect before "
        "it reports it. An error needs action; information, such as numbers recorded as skipped, "
        "does not. An unreachable service is an error. docs/operations.md explains each finding. "
        "Exit status 0: no errors; 1: errors, or another audit is running; 2: wrong usage; 130 or "
        "143: interrupted, continue with --resume."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument("--resume", action="store_true", help="continue an interrupted audit")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with interruptible() as interruption:
                report = _audit(interruption, resume=options["resume"])
        except Interrupted as interrupted:
            raise CommandError(
                f"Interrupted by {interrupted.name}; --resume goes on.",
                returncode=interrupted.status,
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
            # An interruption does not break off a query; it ends the audit between two of them.
            interruption.give_way()
            bar.set_description(check, refresh=False)
            bar.update(passed)

        with interruption.held():
            return audit(resume=resume, notice=show)


def _line(finding: Finding) -> str:
    where = "/".join(map(str, finding.key[:2]))
    return " ".join(filter(None, [finding.severity, finding.check, where])) + f": {finding.detail}"
