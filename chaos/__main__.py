"""`python -m chaos`: the command line. Needs the stack that is up, and its environment."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import django

from chaos.errors import ChaosError

if TYPE_CHECKING:
    from chaos.cases import Case
    from chaos.report import Results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cases or the soak. Return 0 if no guarantee was violated."""
    # Turn SIGTERM into an exception, so that the fault is healed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")
    django.setup()
    # These imports need Django's applications.
    from chaos.matrix import run_all
    from chaos.soak.report import report
    from chaos.soak.running import soak
    from chaos.soak.verdict import is_ok

    known, results = _matrix()
    arguments = _parser().parse_args(argv)
    if arguments.list:
        print("\n".join(known))
        return 0
    if unknown := set(arguments.cases) - set(known):
        print(f"chaos: no such case: {', '.join(sorted(unknown))}; see --list", file=sys.stderr)
        return 2
    chosen = [known[name] for name in arguments.cases or known]
    try:
        if arguments.soak:
            report(soaked := soak(60 * arguments.soak))
            return 0 if is_ok(soaked) else 1
        return 0 if run_all(chosen, arguments.seconds, known, results) else 1
    except (ChaosError, OSError) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _matrix() -> "tuple[Mapping[str, Case], Results]":
    """The cases of the stack's topology, and where their outcomes are kept."""
    from bench.services import parts
    from chaos.cases import cases
    from chaos.cluster.cases import cases as cluster_cases
    from chaos.cluster.nodes import is_cluster
    from chaos.report import CLUSTER, MOVING, RESHARDING, SINGLE, VITESS
    from chaos.vitess import growing
    from chaos.vitess.cases import cases as vitess_cases
    from chaos.vitess.mysql import is_vitess

    if is_cluster():
        return cluster_cases(), CLUSTER
    if not is_vitess():
        return cases(), SINGLE
    if not os.environ["DATABASE_URL"].startswith("vitess://"):
        return growing.MOVING, MOVING
    if "mysqld-7" in parts():
        return growing.RESHARDING, RESHARDING
    return vitess_cases(), VITESS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all of them without any")
    parser.add_argument("--list", action="store_true", help="the names of the cases")
    parser.add_argument(
        "--seconds", type=_at_least(20), default=60, help="of load in each case (60)"
    )
    parser.add_argument(
        "--soak",
        type=_at_least(4),
        metavar="MINUTES",
        help="of load with nothing broken instead, while memory is watched",
    )
    return parser


def _at_least(least: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not value >= least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
