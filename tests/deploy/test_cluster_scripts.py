"""The scripts in deploy/cluster form clusters of the nodes, and never two."""

import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from tests.deploy.chart import ROOT
from tests.live.servers import eventually, free_port
from tests.programs import needed

FOLDER = ROOT / "deploy" / "cluster"
FILE = ROOT / "deploy" / "docker-compose.cluster.yml"
NODES = [f"redis-{number}" for number in range(1, 7)]


class Scripts:
    """Runs scripts of the nodes with programs that replace those of the images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()

    def program(self, name: str, text: str) -> None:
        file = self.programs / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def adapted(self, name: str, *changes: tuple[str, str]) -> Path:
        """A copy of a script with other paths and addresses, which it must contain."""
        text = (FOLDER / name).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        copy = self.folder / name
        copy.write_text(text)
        return copy

    def environment(self, **given: str) -> dict[str, str]:
        return {"PATH": f"{self.programs}:{os.environ['PATH']}", **given}


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def command_of_galera(
    scripts: Scripts, node: str, state: str | None, *, others_serve: bool = False
) -> str:
    """The command that galera.sh runs on this node, with this content of grastate.dat."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = scripts.adapted(
            "galera.sh",
            ("/var/lib/mysql", str(scripts.folder)),
            ("/dev/tcp/$1/3306", f"/dev/tcp/127.0.0.1/{server.getsockname()[1]}"),
        )
        if not others_serve:
            server.close()
        scripts.program("docker-entrypoint.sh", 'echo "$@"')
        scripts.program("mariadbd", 'echo "[Note] WSREP: Recovered position: 7f3a:42" >&2')
        file = scripts.folder / "grastate.dat"
        file.unlink(missing_ok=True)
        if state:
            file.write_text(f"version: 2.1\n{state}\n")
        started = subprocess.run(
            ["bash", script, "mariadbd"],
            env=scripts.environment(HOSTNAME=node),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    return started.stdout.strip()


def test_a_node_of_galera_begins_a_cluster_only_where_there_is_none(scripts: Scripts) -> None:
    last = "safe_to_bootstrap: 1"
    for node, state, others_serve, begins in (
        ("mariadb-1", None, False, True),
        ("mariadb-2", None, False, False),
        ("mariadb-1", None, True, False),  # its disk was replaced
        ("mariadb-3", last, False, True),
        ("mariadb-3", last, True, False),
        ("mariadb-1", "safe_to_bootstrap: 0", False, False),
    ):
        command = command_of_galera(scripts, node, state, others_serve=others_serve)
        wanted = "mariadbd --wsrep-new-cluster" if begins else "mariadbd"
        assert command == wanted, (node, state, others_serve)


def test_a_node_of_galera_that_was_killed_knows_its_position(scripts: Scripts) -> None:
    killed = "uuid: 7f3a\nseqno: -1\nsafe_to_bootstrap: 0"
    command = command_of_galera(scripts, "mariadb-2", killed)

    assert command == "mariadbd --wsrep-start-position=7f3a:42"


#: A node also listens on its port plus 10,000, which must be below the ports of clients.
HIGHEST_PORT = 22_000
VALKEY_CLI = """
case "$1" in
  -h) eval port=\\$"$(echo "$2" | tr - _)"; shift 2 ;;
  *) port=$own ;;
esac
if [ "$1 $2" = "cluster meet" ]; then eval set -- cluster meet 127.0.0.1 \\$"$3"; fi
exec redis-cli -p "$port" "$@"
"""


@pytest.fixture
def redis_nodes(scripts: Scripts) -> Iterator[dict[str, int]]:
    """The ports of real servers that redis-node.sh started with the options of the file."""
    needed("redis-server", "redis-server")
    services = yaml.safe_load(FILE.read_text())["services"]
    ports = ports_of_nodes()
    names = {node.replace("-", "_"): str(port) for node, port in ports.items()}
    scripts.program("valkey-cli", VALKEY_CLI)
    scripts.program("valkey-server", 'exec redis-server "$@" --port "$own" --bind 127.0.0.1')
    scripts.program("getent", 'echo "$2 STREAM" | tr - _')
    scripts.program("hostname", 'echo "$name"')
    nodes = []
    try:
        for node, port in ports.items():
            folder = scripts.folder / node
            folder.mkdir()
            command = services[node]["command"].replace("${REDIS_PASSWORD}", "r")
            started = [
                str(FOLDER / Path(part).name) if "/" in part else part
                for part in shlex.split(command)
            ]
            environment = scripts.environment(name=node, own=str(port), REDISCLI_AUTH="r", **names)
            nodes.append(
                subprocess.Popen(started, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
            )
        yield ports
    finally:
        for process in nodes:
            process.kill()
            process.wait()


def ports_of_nodes() -> dict[str, int]:
    found: set[int] = set()
    while len(found) < len(NODES):
        port = free_port()
        if port < HIGHEST_PORT:
            found.add(port)
    return dict(zip(NODES, found, strict=True))


@pytest.mark.costly
def test_the_nodes_of_redis_become_a_cluster_once(
    scripts: Scripts, redis_nodes: dict[str, int]
) -> None:
    names = {node.replace("-", "_"): str(port) for node, port in redis_nodes.items()}
    environment = scripts.environment(own="", REDISCLI_AUTH="r", **names)
    first = redis.Redis.from_url(
        f"redis://:r@127.0.0.1:{redis_nodes['redis-1']}", decode_responses=True
    )

    for _ in range(2):
        script = ["sh", str(FOLDER / "redis-cluster.sh")]
        subprocess.run(script, env=environment, check=True, capture_output=True, timeout=60)
        eventually(lambda: len(replicas_of_masters(first)) == 3, 30, "three replicas")
        # Each of the later nodes is a replica of one of the first.
        by_port = {port: node for node, port in redis_nodes.items()}
        pairs = {by_port[one]: by_port[other] for one, other in replicas_of_masters(first).items()}
        assert pairs == {"redis-4": "redis-1", "redis-5": "redis-2", "redis-6": "redis-3"}
    assert command(first, "CLUSTER INFO")["cluster_slots_ok"] == "16384"
    hosts = {node["hostname"] for node in nodes_of(first).values()}
    assert hosts == {*NODES}


def command(client: redis.Redis, name: str) -> dict[str, Any]:
    return dict(client.execute_command(name))  # type: ignore[no-untyped-call]


def nodes_of(client: redis.Redis) -> dict[str, Any]:
    return command(client, "CLUSTER NODES")


def replicas_of_masters(client: redis.Redis) -> dict[int, int]:
    """The ports of the replicas that are connected, and those of their masters."""
    nodes = nodes_of(client)
    ports = {node["node_id"]: int(address.rpartition(":")[2]) for address, node in nodes.items()}
    return {
        ports[node["node_id"]]: ports[node["master_id"]]
        for node in nodes.values()
        if "slave" in node["flags"] and node["connected"]
    }
