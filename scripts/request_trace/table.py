"""The counts as a table, a list of files, and against their limits."""

from collections.abc import Iterator, Mapping, Sequence

from bench.report import put
from scripts.request_trace.recorder import ROOT
from scripts.request_trace.scenario import GET, LIST, POST, SEARCH, Executed

EMBEDDED, PRODUCTION = "embedded", "production"
#: The most files that each request may execute, by profile; in production in both processes.
LIMITS: Mapping[str, Mapping[str, int]] = {
    POST: {EMBEDDED: 20, PRODUCTION: 35},
    GET: {EMBEDDED: 10, PRODUCTION: 10},
    LIST: {EMBEDDED: 12, PRODUCTION: 12},
    SEARCH: {EMBEDDED: 14, PRODUCTION: 14},
}

_PAGE = ROOT / "docs" / "development.md"
_COMMAND = "python -m scripts.request_trace --production --write"

#: By profile, then by request.
Counts = Mapping[str, Mapping[str, Executed]]


def table(counts: Counts) -> list[str]:
    """A table in Markdown: a line for each request, a group of columns for each profile."""
    header = ["request"]
    if EMBEDDED in counts:
        header += ["embedded: web process", "limit"]
    if PRODUCTION in counts:
        header += ["production: web process", "worker process", "both", "limit"]
    rows = [[request, *_cells(counts, request)] for request in LIMITS]
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]


def _cells(counts: Counts, request: str) -> Iterator[str]:
    for profile, requests in counts.items():
        executed = requests[request]
        yield str(len(executed.web))
        if profile == PRODUCTION:
            yield str(len(executed.worker))
            yield str(len(executed.both))
        yield str(LIMITS[request][profile])


def file_list(counts: Counts) -> Iterator[str]:
    """The files of each request, by profile and process."""
    for profile, requests in counts.items():
        for request, executed in requests.items():
            for process, files in (("web", executed.web), ("worker", executed.worker)):
                if files:
                    yield f"{request}, {profile}, {process} process: {len(files)} files"
                    yield from (f"  {file}" for file in sorted(files))


def above_limits(counts: Counts) -> Sequence[str]:
    """A sentence for each request that executes more files than its limit."""
    return [
        f"{request}, {profile}: {len(executed.both)} files, the limit is {LIMITS[request][profile]}"
        for profile, requests in counts.items()
        for request, executed in requests.items()
        if len(executed.both) > LIMITS[request][profile]
    ]


def write(counts: Counts) -> None:
    """Put the table into docs/development.md, in place of the one before."""
    put(_PAGE, _COMMAND, table(counts))
