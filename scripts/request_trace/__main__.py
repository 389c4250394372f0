"""The command line of `python -m scripts.request_trace`."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.request_trace.recording import TraceError
from scripts.request_trace.scenario import Executed, count
from scripts.request_trace.servers import Servers, embedded, production, require_services
from scripts.request_trace.table import (
    EMBEDDED,
    PRODUCTION,
    above_limits,
    file_list,
    table,
    write,
)


def main() -> None:
    """Print the table. The exit status is 1 if counting or --check fails."""
    parser = ArgumentParser(
        prog="python -m scripts.request_trace",
        description="Count the project's own files that one request executes, and print a table. "
        "The command starts its own servers.",
    )
    parser.add_argument(
        "--production",
        action="store_true",
        help="also count in production, on the services of the environment (`scripts/stack env`)",
    )
    parser.add_argument("--files", action="store_true", help="also list the files")
    parser.add_argument(
        "--check",
        action="store_true",
        help="fail if a count is above its limit, which scripts/request_trace/table.py states",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="put the table into docs/development.md; needs --production",
    )
    options = parser.parse_args()
    if options.write and not options.production:
        parser.error("--write needs --production")
    try:
        if options.production:
            require_services()
        counts = {EMBEDDED: _count(embedded)}
        if options.production:
            counts[PRODUCTION] = _count(production)
    except TraceError as error:
        sys.exit(f"request_trace: {error}")
    print("\n".join(table(counts)))
    if options.files:
        print("", *file_list(counts), sep="\n")
    if options.write:
        write(counts)
    if options.check and (found := above_limits(counts)):
        sys.exit("\n".join(found))


def _count(
    servers: Callable[[Path], AbstractContextManager[Servers]],
) -> Mapping[str, Executed]:
    with TemporaryDirectory(prefix="request-trace-") as folder, servers(Path(folder)) as running:
        return count(running)


if __name__ == "__main__":
    main()
