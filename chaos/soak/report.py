"""Report a soak on the terminal, in chaos/results/soak.json and in the page."""

import json
from dataclasses import asdict

from bench.report import put
from chaos.report import RESULTS, SINGLE
from chaos.soak.running import Soaked
from chaos.soak.verdict import Line, is_ok, lines

_NAMED = 20


def report(soaked: Soaked) -> None:
    """Print and save the result."""
    print("\n".join([*_markdown(soaked), "", _text(soaked)]))
    for violation in soaked.violations[:_NAMED]:
        print(f"  {violation.sort}: {violation.detail[:400]}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {"ok": is_ok(soaked), **asdict(soaked)}
    (RESULTS / "soak.json").write_text(json.dumps(document, indent=1) + "\n")
    put(SINGLE.page, "make soak", [_text(soaked), "", *_markdown(soaked)])


def _text(soaked: Soaked) -> str:
    seconds = soaked.samples[-1].at - soaked.samples[0].at
    return (
        f"{seconds / 60:.1f} minutes, {soaked.requests} requests whose answers are checked, and"
        f" {soaked.messages} messages at {soaked.rate:.0f} a second; {soaked.failed} failed,"
        f" streams resumed {soaked.resumed} times,"
        f" {len(soaked.violations)} promises broken:"
        f" {'ok' if is_ok(soaked) else 'not ok'}. A key of a request took"
        f" {soaked.request_bytes:.0f} bytes of Redis, the block of a chat"
        f" {soaked.block_bytes:.0f}."
    )


def _markdown(soaked: Soaked) -> list[str]:
    header = ["| | third minute | last minute | |", "| --- | ---: | ---: | --- |"]
    return [*header, *map(_row, lines(soaked))]


def _row(line: Line) -> str:
    third, last = f"{line.third:.1f} {line.unit}", f"{line.last:.1f} {line.unit}"
    return f"| {line.name} | {third.strip()} | {last.strip()} | {'ok' if line.is_ok else 'grew'} |"
