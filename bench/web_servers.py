"""`contract`, `embedded`, `memory`, `servers`: this system on web servers that are started here.

They have other settings than the stack's, or are other HTTP servers.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from bench import BenchError, report, texts
from bench.processes import (
    MIB,
    RESULTS,
    ROOT,
    Server,
    family,
    product_server,
    serving,
    wait_until,
)
from bench.product import Client, Database, await_complete, new_chat
from bench.report import LOADS, Figure, Results
from bench.rounds import alternate, interleave, product_target, verify
from bench.routes import DIFFERENT_TEXTS, Asker
from bench.services import services
from bench.wrk import Load, Request, checked, load, request_file

_OPEN: Mapping[str, str] = {"REQUIRE_KEYS": "0", "RATE_LIMIT": ""}
#: What a client has to send, and how: the prefix makes the same headers mean nothing.
_CONTRACT: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "open": ("X-No-", _OPEN),
    "keys, idempotency, limits": ("", {"REQUIRE_KEYS": "1", "RATE_LIMIT": "1000000/s"}),
}
_EMBEDDED: Mapping[str, str] = {
    **dict.fromkeys(
        ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "ELASTICSEARCH_URL", "SECRET_KEY"), ""
    ),
    **_OPEN,
    "WEB_CONCURRENCY": "0",
}
_WARM_UP_SECONDS = 3.0
_DIFFERENT = 2000
_FIRST_LOOK = 10_000
_LONGEST_RUN_SECONDS = 20.0
_STORED_SECONDS = 300.0

_APPLICATION = "chatsystem.asgi:application"
#: Options as the product's server has them, as far as the others know them.
_SERVERS: Mapping[str, Sequence[str]] = {
    "gunicorn": (
        *("gunicorn", "--config", "gunicorn.conf.py", "--bind", "127.0.0.1:{port}"),
        *("--workers", "{processes}", _APPLICATION),
    ),
    "granian": (
        *("granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}"),
        *("--workers", "{processes}", "--loop", "uvloop", "--http", "1", "--no-ws"),
        *("--backlog", "4096", "--workers-kill-timeout", "60", "--log-level", "warning"),
        # It closes idle connections by this, too. More than 60 s it does not take.
        *("--http1-header-read-timeout", "60000", _APPLICATION),
    ),
    "uvicorn": (
        *("uvicorn", "--http", "httptools", "--host", "127.0.0.1", "--port", "{port}"),
        *("--workers", "{processes}", "--loop", "uvloop", "--ws", "none", "--lifespan", "off"),
        *("--backlog", "4096", "--timeout-keep-alive", "75", "--timeout-graceful-shutdown", "60"),
        *("--no-access-log", "--no-proxy-headers", "--no-server-header", "--log-level", "warning"),
        _APPLICATION,
    ),
}


def contract(*, seconds: float, rounds: int, connections: int) -> Results:
    """Measure what keys, Idempotency-Keys and limits (far above the load) cost a create.

    Two web servers on the stack's services get the same load. Raises BenchError when a request was
    not accepted.
    """
    database, base_url = Database(services().database_url), services().base_url
    with request_file(texts.creates()) as requests, ExitStack() as started:
        targets = []
        for name, (prefix, settings) in _CONTRACT.items():
            server = started.enter_context(product_server("contract", settings))
            target, chat = product_target(name, base_url, database, requests, connections, prefix)
            targets.append(replace(target, url=server.url + chat.messages_path))
        seen = alternate(targets, seconds=seconds, rounds=rounds)
    report.print_samples("contract", seen, LOADS)
    for each in chain.from_iterable(seen.values()):
        checked(each)
    off, on = (report.middle(loads, lambda load: load.rate) for loads in seen.values())
    figures = {"contract_post_message_rps": Figure(on, "requests/s", {"open": on / off})}
    return Results(figures, report.documents(seen))


def embedded(*, seconds: float, rounds: int, connections: int) -> Results:
    """Measure the embedded profile: one SQLite file and no service, and compare it with its file.

    Raises BenchError when the answers do not match the file.
    """
    RESULTS.mkdir(exist_ok=True)
    # Not in the folder of temporary files: that may be memory, where a commit costs nothing.
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder, ExitStack() as started:
        settings = {**_EMBEDDED, "VAR_DIR": folder}
        migrate = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env={**os.environ, **settings}, check=True)
        server = started.enter_context(product_server("embedded", settings))
        requests = started.enter_context(request_file(texts.creates()))
        database = Database(f"sqlite:///{Path(folder) / 'chatsystem.sqlite3'}")
        target, chat = product_target("embedded", server.url, database, requests, connections)
        seen = alternate([target], seconds=seconds, rounds=rounds)
        agreed = verify(database, chat, target)
    report.print_samples("embedded profile", seen, LOADS)
    figures = report.load_figures("embedded_post", seen["embedded"])
    return Results(figures, {"checked": agreed, **report.documents(seen)})


def memory(*, requests: int, connections: int) -> Results:
    """Measure what a web process holds after few and after many requests.

    A server with one process gets the mix of all routes in one chat. Its memory without shared
    pages (USS) is read after ten thousand requests and then at least every twenty seconds. Raises
    BenchError when a request failed, or a create is not stored.
    """
    if requests <= _FIRST_LOOK:
        raise BenchError(f"more than {_FIRST_LOOK} requests are needed")
    database, base_url = Database(services().database_url), services().base_url
    chat = new_chat(base_url)
    with Client(base_url) as client:
        messages = [{"body": body} for body in texts.bodies(DIFFERENT_TEXTS)]
        client.create(f"{chat.messages_path}/bulk", messages=messages)
    wait_until(
        lambda: chat.count(database) == DIFFERENT_TEXTS, _STORED_SECONDS, "the chat is filled"
    )
    with request_file(Asker([chat], DIFFERENT_TEXTS).mix(_DIFFERENT)) as file:
        held = dict(_of_a_web_process(file, requests, connections))
        await_complete(database, chat, _STORED_SECONDS)
    first, last, highest = held[min(held)], held[max(held)], max(held.values())
    rows = [(str(done), report.rounded(mib), f"{mib / first:.3f}") for done, mib in held.items()]
    report.print_table(("requests to one web process", "MiB", "/ first"), rows)
    end = f"web_memory_after_{report.short(requests)}_requests"
    figures = {
        f"web_memory_after_{report.short(_FIRST_LOOK)}_requests": Figure(first, "MiB"),
        end: Figure(last, "MiB", {"after_10k": last / first}),
        "web_memory_highest": Figure(highest, "MiB", {"after_10k": highest / first}),
    }
    return Results(figures, {"mib_by_requests": held})


def _of_a_web_process(file: Path, requests: int, connections: int) -> Iterator[tuple[int, float]]:
    """Requests answered so far, and MiB that the process holds then."""
    with product_server("memory", {**_OPEN, "WEB_CONCURRENCY": "1"}) as server:
        done, rate = 0, float(_FIRST_LOOK)
        for goal in (_FIRST_LOOK, requests):
            while done < goal:
                lasting = min(max((goal - done) / rate, 3.0), _LONGEST_RUN_SECONDS)
                seen = load(server.url, file, connections=connections, seconds=lasting)
                done, rate = done + checked(seen).answered, seen.rate
                if done >= _FIRST_LOOK:
                    # The largest of the server's processes is the one that serves.
                    sizes = [process.memory_full_info().uss for process in family(server.pid)]
                    yield done, max(sizes) / MIB


def servers(*, seconds: float, rounds: int, connections: int, processes: int) -> Results:
    """Measure creates and reads over many connections, and creates of one client alone."""
    database = Database(services().database_url)
    loads: dict[str, dict[str, partial[Load]]] = {"POST": {}, "GET": {}, "POST alone": {}}
    figures: dict[str, Figure] = {}
    with request_file(texts.creates()) as requests, ExitStack() as started:
        for name, command in _SERVERS.items():
            arguments = [part.replace("{processes}", str(processes)) for part in command]
            web = started.enter_context(serving(name, ("-m", *arguments), _OPEN))
            target, chat = product_target(name, web.url, database, requests, connections)
            target.send(_WARM_UP_SECONDS)
            items = (Request("GET", f"{chat.messages_path}/{number}") for number in range(1, 101))
            file = started.enter_context(request_file(items))
            read = partial(load, web.url, file, connections=connections, seconds=seconds)
            loads["POST"][name] = partial(_of_web, web, partial(target.send, seconds))
            loads["GET"][name] = partial(_of_web, web, read)
            loads["POST alone"][name] = partial(_of_web, web, partial(target.send, seconds, 0, 1))
            figures[f"{name}_mib"] = Figure(web.memory() / MIB, "MiB")
        seen = {title: interleave(measures, rounds) for title, measures in loads.items()}
    for title, by_server in seen.items():
        report.print_samples(title, by_server, LOADS)
        for name, each in by_server.items():
            figure_name = f"{name}_{title.lower().replace(' ', '_')}"
            figures |= report.load_figures(figure_name, each, {"gunicorn": by_server["gunicorn"]})
    details = {title: report.documents(by_server) for title, by_server in seen.items()}
    return Results(figures, details)


def _of_web(web: Server, run: "partial[Load]") -> Load:
    """The load, with the processor time of the server's processes alone."""
    before = web.processor_seconds()
    seen = run()
    return replace(seen, busy_seconds=web.processor_seconds() - before)
