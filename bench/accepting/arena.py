"""This system and the baselines, all of them running, and what they are sent."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import product, texts
from bench.baselines import baselines, best_threads
from bench.database import Database
from bench.product import Chat
from bench.services import Services
from bench.target import Target

THIS = "this_system"


@dataclass(frozen=True)
class Arena:
    """`targets` by name. `chat` is where this system's messages go. `threads` of each baseline."""

    services: Services
    database: Database
    chat: Chat
    targets: dict[str, Target]
    threads: dict[str, int]
    requests: Path
    connections: int

    def some(self, *names: str) -> list[Target]:
        """Those of these names."""
        return [self.targets[name] for name in names]


@contextmanager
def arena(
    services: Services, database: Database, *, connections: int, choices: Sequence[int]
) -> Iterator[Arena]:
    """All run while the block does, each baseline with the best of these numbers of threads."""
    chat = product.new_chat(services.base_url)
    with texts.request_file() as requests, ExitStack() as started:
        targets, threads = {THIS: this_system(services, database, chat)}, {}
        for baseline in baselines(services, database):
            best = best_threads(baseline, choices, requests, connections)
            threads[baseline.name] = best
            targets[baseline.name] = started.enter_context(baseline.start(best))
        yield Arena(services, database, chat, targets, threads, requests, connections)


def this_system(services: Services, database: Database, chat: Chat) -> Target:
    """The stack as it runs; messages go to this chat."""
    return Target(
        name=THIS,
        address=services.base_url + chat.messages_path,
        count_stored=partial(product.count_messages, database, chat),
    )
