"""Run the load, sample the stack every few seconds, and judge the result."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from chaos import observed
from chaos.evidence import Evidence, Violation
from chaos.healing import heal, until_settled
from chaos.inspection import audit_errors, inspect
from chaos.journal import Journal
from chaos.load import Load
from chaos.report import JOURNALS
from chaos.running import INTERVAL_SECONDS, homes
from chaos.soak.memory import EVERY_BLOCK, Sample, sample
from chaos.soak.sizing import bytes_per_key
from chaos.verdict import judge
from ingest import redis_keys

_EVERY_SECONDS = 5.0
_SETTLED_WITHIN_SECONDS = 240.0


@dataclass(frozen=True)
class Soaked:
    """`request_bytes`, `block_bytes`: bytes of Redis for each such key."""

    samples: Sequence[Sample]
    requests: int
    failed: int
    request_bytes: float
    block_bytes: float
    violations: Sequence[Violation]


def soak(seconds: float) -> Soaked:
    """Run the soak. Raises ChaosError if there is no verdict."""
    heal()
    until_settled(_SETTLED_WITHIN_SECONDS)
    known = audit_errors()
    with Journal(JOURNALS / "soak.jsonl") as journal:
        load = Load(homes(journal), interval=INTERVAL_SECONDS, journal=journal)
        samples = _under_load(load, seconds)
        until_settled(_SETTLED_WITHIN_SECONDS)
        tokens = sorted({attempt.request.parent.token for attempt in journal.attempts})
        evidence = Evidence(journal.attempts, observed.stored(tokens), observed.skips(tokens))
        return Soaked(
            samples=samples,
            requests=len(journal.attempts),
            failed=sum(not attempt.is_success for attempt in journal.attempts),
            request_bytes=bytes_per_key(redis_keys.EVERY_REQUEST),
            block_bytes=bytes_per_key(EVERY_BLOCK),
            violations=[*judge(evidence), *inspect(evidence, known)],
        )


def _under_load(load: Load, seconds: float) -> list[Sample]:
    end = Event()

    def look() -> list[Sample]:
        seen = []
        while not end.wait(_EVERY_SECONDS):
            seen.append(sample())
        return seen

    with load.running(), ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            time.sleep(seconds)
        finally:
            end.set()
        return looking.result()
