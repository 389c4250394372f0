"""A shorter run whose every answer is kept: numbers and bodies must be in the table exactly.

Its clients wait for each answer, also after the time is up, so nothing is left open.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count

from bench import product, texts
from bench.client import Client
from bench.database import Database
from bench.errors import BenchError
from bench.waiting import wait_until

_SECONDS = 5.0
_CLIENTS = 16
_STORED_WITHIN_SECONDS = 120.0

Answers = list[tuple[int, str]]


def check_exactly(base_url: str, database: Database) -> int:
    """How many messages were written and found. Raises BenchError when any differs."""
    chat = product.new_chat(base_url)
    until = time.monotonic() + _SECONDS

    def write(_: int) -> Answers:
        return _write_until(until, base_url, chat.messages_path)

    with ThreadPoolExecutor(_CLIENTS) as clients:
        answers = list(chain.from_iterable(clients.map(write, range(_CLIENTS))))
    wait_until(
        lambda: product.count_messages(database, chat) >= len(answers),
        _STORED_WITHIN_SECONDS,
        f"{len(answers)} rows are stored",
    )
    numbers = sorted(number for number, _ in answers)
    if numbers != list(range(1, len(answers) + 1)):
        raise BenchError("the numbers answered are not 1 to N, each once")
    if product.bodies_by_number(database, chat) != dict(answers):
        raise BenchError("what is stored is not what was answered")
    print(f"exact run: {len(answers)} answers, 1 to {len(answers)}; the table holds exactly them")
    return len(answers)


def _write_until(until: float, base_url: str, path: str) -> Answers:
    answers: Answers = []
    bodies = texts.bodies(500)
    with Client(base_url) as client:
        for turn in count():
            if time.monotonic() > until:
                break
            body = f"{turn} {bodies[turn % len(bodies)]}"
            answers.append((int(client.create(path, body=body)["message_number"]), body))
    return answers
