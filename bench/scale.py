"""`scale`: what a message costs by the number of chats that messages go to; memory of idle ones.

A million chats of one application and a million of ten thousand are there at once. Messages go to
random ones among the first thousand, ten thousand and so on, in turns, so all sizes see the same
machine, tables and Redis. What the other chats cost the smallest size is measured apart: before
they are there, and after they are removed.

In between, the product's nightly job hands back the blocks of a million idle chats, and the first
messages after that are measured too: each takes a new lease from the database.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median

from bench import BenchError, texts
from bench.many_chats import ManyChats, many_chats
from bench.processes import Server, processor_seconds, product_server, wait_until
from bench.product import Database, backlog
from bench.product_blocks import hand_back_blocks, redis_bytes
from bench.product_code import reconcile_counts
from bench.report import (
    Figure,
    Results,
    documents,
    middle,
    print_samples,
    print_table,
    rounded,
    short,
)
from bench.rounds import Target, interleave
from bench.services import parts, services
from bench.wrk import Load, Request, checked, request_file

ALONE, HANDED_BACK, WITH_KEYS = "alone", "handed_back", "_with_keys"

#: More than are sent in a round, so that each chat is drawn anew.
_REQUESTS = 40_000
_ALONE_ROUNDS, _FIRST_ROUNDS = 2, 3
#: Longer than any request takes: nothing is sent meanwhile.
_IDLE_SECONDS = 10
_MB = 1e6
_KEYS_REQUIRED = {"REQUIRE_KEYS": "1", "RATE_LIMIT": ""}
_NEWEST = "SELECT COALESCE(MAX(id), 0) FROM messages"
_LATER = "SELECT COUNT(*) FROM messages WHERE id > %s"


@dataclass(frozen=True)
class Cost:
    """Processor time of a message by part of the stack, in ms, and the load that it comes from."""

    by_part: Mapping[str, float]
    load: Load

    @property
    def ms(self) -> float:
        """Processor time of all parts."""
        return sum(self.by_part.values())


@dataclass(frozen=True)
class Memory:
    """Bytes that Redis uses: without the blocks, with them, and after they were handed back."""

    before: int
    with_blocks: int
    after: int
    handed_back: int
    seconds: float


class _Meter:
    """Sends messages to random chats, and reads what the parts of the stack use for them."""

    def __init__(self, database: Database, seconds: float, connections: int) -> None:
        self._database, self._seconds, self._connections = database, seconds, connections
        self._bodies = texts.bodies(_REQUESTS)
        self._pids = {name: part.pids for name, part in parts().items()}

    def cost(self, made: ManyChats, chats: int, with_keys: Server | None = None) -> Cost:
        """What a message to a random one of these chats costs, until all are stored and indexed.

        With a server that requires keys, that server gets the messages, with their keys.
        """
        database, newest = self._database, self._database.number(_NEWEST)
        with request_file(self._requests(made, chats, is_keyed=bool(with_keys))) as file:
            target = Target(
                "this system",
                with_keys.url if with_keys else services().base_url,
                file,
                self._connections,
                rows_in_table=partial(database.number, _LATER, newest),
                backlog=partial(backlog, database),
            )
            before = self._used(with_keys)
            load = checked(target.send(self._seconds))
            # Those in flight at the end of the load are not counted as answered, and cost as much.
            messages = target.rows()
        after = self._used(with_keys)
        each = {name: 1000 * (after[name] - before[name]) / messages for name in after}
        return Cost(each, load)

    def _requests(self, made: ManyChats, chats: int, *, is_keyed: bool) -> Iterator[Request]:
        for chat, body in zip(made.draw(chats, _REQUESTS), self._bodies, strict=True):
            header = f"Authorization: Bearer {chat.key}" if is_keyed else ""
            yield Request("POST", chat.messages_path, {"body": body}, header)

    def _used(self, server: Server | None) -> dict[str, float]:
        used = {name: processor_seconds(pids) for name, pids in self._pids.items()}
        return {**used, "web": server.processor_seconds()} if server else used


def scale(
    *, sizes: Sequence[int], applications: int, seconds: float, rounds: int, connections: int
) -> Results:
    """Measure and report. Raises BenchError when a number of a message is missing or doubled."""
    database = Database(services().database_url)
    meter = _Meter(database, seconds, connections)
    smallest, largest = min(sizes), max(sizes)
    reconcile_counts()  # whatever is flagged
    before = redis_bytes()
    alone = _alone(database, meter, smallest)
    with many_chats(database, applications=1, chats=largest) as one:
        with (
            many_chats(database, applications=applications, chats=largest) as several,
            product_server("scale", _KEYS_REQUIRED) as server,
        ):
            measures = {
                name_of(made, chats): partial(meter.cost, made, chats)
                for made in (one, several)
                for chats in sizes
                if chats >= len(made.tokens)
            }
            for made, chats in ((one, smallest), (several, largest)):
                name = name_of(made, chats) + WITH_KEYS
                measures[name] = partial(meter.cost, made, chats, server)
            costs = interleave(measures, rounds)
            _check_numbers(database, several)
        reconcile_counts()
        memory = _hand_back(before, largest)
        first = [meter.cost(one, largest) for _ in range(_FIRST_ROUNDS)]
        _check_numbers(database, one)
    alone += _alone(database, meter, smallest)
    _print({ALONE: alone, **costs, HANDED_BACK: first}, memory, largest)
    figures = cost_figures(alone, costs, first) | memory_figures(memory, largest)
    samples = documents({ALONE: alone, **costs, HANDED_BACK: first})
    return Results(figures, {"costs": samples, "memory": asdict(memory)})


def name_of(made: ManyChats, chats: int) -> str:
    """The size in the names of figures: 1m chats, or 1m_of_10k applications."""
    applications = len(made.tokens)
    return short(chats) + (f"_of_{short(applications)}" if applications > 1 else "")


def _alone(database: Database, meter: _Meter, chats: int) -> list[Cost]:
    """The cost while there are only these chats, beside what other measurements have left."""
    with many_chats(database, applications=1, chats=chats) as made:
        return [meter.cost(made, chats) for _ in range(_ALONE_ROUNDS)]


def _check_numbers(database: Database, made: ManyChats) -> None:
    """Raise BenchError unless the messages of each chat have the numbers 1 to N, each once.

    A request that wrk did not wait for may have its number and still be queued.
    """
    wait_until(lambda: not made.with_wrong_numbers(database), 60.0, "all numbers are stored", 1)


def _hand_back(before: int, chats: int) -> Memory:
    """Let the blocks of these chats become idle, and hand them back."""
    with_blocks = redis_bytes()
    time.sleep(_IDLE_SECONDS)
    began = time.perf_counter()
    handed_back = hand_back_blocks(_IDLE_SECONDS)
    seconds = time.perf_counter() - began
    if handed_back < chats:
        raise BenchError(f"{handed_back} blocks of {chats} chats were handed back")
    return Memory(before, with_blocks, redis_bytes(), handed_back, seconds)


def cost_figures(
    alone: Sequence[Cost], costs: Mapping[str, Sequence[Cost]], first: Sequence[Cost]
) -> dict[str, Figure]:
    """The figures of each size, by their costs in the same rounds.

    The first size is the smallest, with keys and without. `first`: of the first message after the
    block of its chat was handed back.
    """
    smallest = next(iter(costs))
    figures = {}
    for name, several in costs.items():
        of_same_kind = (one for one in costs if one.endswith(WITH_KEYS) == name.endswith(WITH_KEYS))
        pairs = list(zip(several, costs[next(of_same_kind)], strict=True))
        ratios = {
            "smallest": median(cost.ms / base.ms for cost, base in pairs),
            ALONE: _ms(several) / _ms(alone),
        }
        rates = {"smallest": median(cost.load.rate / base.load.rate for cost, base in pairs)}
        figures[f"scale_{name}_ms"] = Figure(_ms(several), "ms/message", ratios)
        figures[f"scale_{name}_rps"] = Figure(_rate(several), "requests/s", rates)
    figures[f"scale_{smallest}_{ALONE}_ms"] = Figure(_ms(alone), "ms/message")
    ratio = {"smallest": _ms(first) / _ms(costs[smallest])}
    figures[f"scale_{HANDED_BACK}_ms"] = Figure(_ms(first), "ms/message", ratio)
    figures[f"scale_{HANDED_BACK}_rps"] = Figure(_rate(first), "requests/s")
    return figures


def _ms(costs: Iterable[Cost]) -> float:
    return middle(costs, lambda cost: cost.ms)


def _rate(costs: Iterable[Cost]) -> float:
    return middle(costs, lambda cost: cost.load.rate)


def memory_figures(memory: Memory, chats: int) -> dict[str, Figure]:
    """What Redis uses, and the pace of the job."""
    name = f"redis_{short(chats)}"
    return {
        "redis_before_mb": Figure(memory.before / _MB, "MB"),
        f"{name}_blocks_mb": Figure(memory.with_blocks / _MB, "MB"),
        f"{name}_idle_mb": Figure(memory.after / _MB, "MB"),
        "hand_back_per_s": Figure(memory.handed_back / memory.seconds, "blocks/s"),
    }


def _print(costs: Mapping[str, Sequence[Cost]], memory: Memory, chats: int) -> None:
    columns = {
        "ms a message": lambda cost: cost.ms,
        "a second": lambda cost: cost.load.rate,
        "p50 ms": lambda cost: cost.load.p50_ms,
    }
    columns |= {part: partial(_of_part, part) for part in costs[ALONE][0].by_part}
    print_samples("chats that messages go to", costs, columns)
    rows = [
        ("without the chats", memory.before),
        (f"with blocks of {short(chats)}", memory.with_blocks),
        ("after they were handed back", memory.after),
    ]
    print_table(("Redis' memory", "MB"), [(what, rounded(size / _MB)) for what, size in rows])
    print(f"{memory.handed_back} blocks were handed back in {memory.seconds:.0f} s", flush=True)


def _of_part(part: str, cost: Cost) -> float:
    return cost.by_part[part]
