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
from chaos.receivers import Audience
from chaos.report import JOURNALS
from chaos.running import INTERVAL_SECONDS, homes
from chaos.soak.flood import flooded
from chaos.soak.memory import Sample, sample
from chaos.soak.sizing import bytes_per_key
from chaos.verdict import judge
from ingest import redis_keys

_EVERY_SECONDS = 5.0
_SETTLED_WITHIN_SECONDS = 240.0


@dataclass(frozen=True)
class Soaked:
    """`request_bytes`, `block_bytes`: bytes of Redis for each such key.

    `rate`: messages a second besides the `requests` of the clients that check each answer, which is
    half the peak; `messages`: how many were accepted. `resumed`: how often a stream was cut.
    """

    samples: Sequence[Sample]
    requests: int
    failed: int
    rate: float
    messages: int
    resumed: int
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
        with Audience(load.homes) as audience, flooded(seconds) as flooding:
            samples = _under_load(load, seconds)
            flood = flooding()
            until_settled(_SETTLED_WITHIN_SECONDS)
            tokens = sorted({attempt.request.parent.token for attempt in journal.attempts})
            evidence = Evidence(journal.attempts, observed.stored(tokens), observed.skips(tokens))
            violations = [
                *judge(evidence),
                *inspect(evidence, known),
                *audience.violations(evidence.texts),
                *flood.violations(),
            ]
            resumed = audience.resumed + flood.audience.resumed
        return Soaked(
            samples=samples,
            requests=len(journal.attempts),
            failed=sum(not attempt.is_success for attempt in journal.attempts) + flood.failed,
            rate=flood.half.rate,
            messages=flood.answered,
            resumed=resumed,
            request_bytes=bytes_per_key(redis_keys.EVERY_REQUEST),
            block_bytes=bytes_per_key(redis_keys.EVERY_BLOCK),
            violations=violations,
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
