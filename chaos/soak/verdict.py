"""Whether memory or backlogs grew: compares the last minute with the third."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from chaos.soak.memory import PROCESSES, Sample
from chaos.soak.running import Soaked

GROWTH = 1.05
#: Relative error of the measured bytes per key: numbers get more digits, and Redis's tables of
#: keys double from time to time.
_UNKNOWN = 0.01
_MIB = 2**20
#: A backlog varies between samples by about one or two group commits of each process.
_ROWS_AT_LEAST = 200.0


@dataclass(frozen=True)
class Line:
    """Averages of the third and of the last minute; `most`: the limit for the last."""

    name: str
    unit: str
    third: float
    last: float
    most: float

    @property
    def is_ok(self) -> bool:
        """Whether the last minute is within the limit."""
        return self.last <= self.most


def lines(soaked: Soaked) -> list[Line]:
    """The lines for memory, then for backlogs."""
    return [*_memory(soaked), *_waiting(soaked)]


def is_ok(soaked: Soaked) -> bool:
    """Whether there was no violation, no failed request, and no growth."""
    return not (soaked.violations or soaked.failed) and all(line.is_ok for line in lines(soaked))


def without_keys(soaked: Soaked, sample: Sample) -> float:
    """Redis's bytes without idempotency keys and blocks of numbers."""
    kept = sample.requests * soaked.request_bytes + sample.blocks * soaked.block_bytes
    return sample.redis_bytes - kept


def _memory(soaked: Soaked) -> Iterator[Line]:
    samples = soaked.samples
    for part in PROCESSES:
        yield _flat(part, samples, [sample.memory[part] for sample in samples])
    rest = [without_keys(soaked, sample) for sample in samples]
    unknown = _UNKNOWN * (samples[-1].redis_bytes - rest[-1])
    yield _flat("Redis without keys of requests and blocks", samples, rest, unknown)


def _flat(
    name: str, samples: Sequence[Sample], values: Sequence[float], unknown: float = 0
) -> Line:
    third, last = (mean / _MIB for mean in _means(samples, values))
    return Line(name, "MiB", third, last, GROWTH * third + unknown / _MIB)


def _waiting(soaked: Soaked) -> Iterator[Line]:
    samples = soaked.samples
    for name in samples[0].waiting:
        third, last = _means(samples, [sample.waiting[name] for sample in samples])
        yield Line(name, "", third, last, max(2 * third, _ROWS_AT_LEAST))


def _means(samples: Sequence[Sample], values: Sequence[float]) -> tuple[float, float]:
    """The means of the third and of the last minute."""
    began, ended = samples[0].at, samples[-1].at
    at = [(sample.at, value) for sample, value in zip(samples, values, strict=True)]
    third = [value for moment, value in at if 120 <= moment - began < 180]
    last = [value for moment, value in at if ended - moment <= 60]
    return fmean(third), fmean(last)
