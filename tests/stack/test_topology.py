"""What the files of the topologies say, without starting anything."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from localstack.network import Network
from localstack.plan import Plan
from localstack.processes import StackError
from localstack.settings import Layout, Options, Settings
from localstack.stack import Stack
from localstack.topology import load_topology

ROOT = Path(__file__).resolve().parents[2]
NODES = {
    "mariadb": 3,
    "redis": 6,
    "rabbitmq": 3,
    "elasticsearch": 3,
    "haproxy": 1,
    "web": 2,
    "worker": 2,
    "beat": 1,
}
SECRETS = {name: f"{name}-secret" for name in ("database", "redis", "broker", "django")}


def plan(folder: Path, topology: str, network: str = "") -> Plan:
    """As `up` would make it."""
    options = Options(topology=topology, port=0, elasticsearch_heap="256m")
    settings = Settings(options, secrets={**SECRETS, "erlang_cookie": "c"}, network=network)
    return Plan(Layout(ROOT, folder), settings.with_ports(()))


def test_the_single_machine_has_one_part_of_each_kind() -> None:
    parts = ["mariadb", "redis", "rabbitmq", "elasticsearch", "web", "worker", "beat"]

    assert list(load_topology("single").parts) == parts


def test_the_cluster_has_several_nodes_of_each_engine_and_starts_services_first() -> None:
    topology = load_topology("cluster")

    assert {kind: len(nodes) for kind, nodes in topology.kinds().items()} == NODES
    assert topology.services[0] == "mariadb-1"
    assert topology.application == ["web-1", "web-2", "worker-1", "worker-2", "beat"]


@pytest.mark.parametrize("network", ["", "10.9.8"])
def test_no_two_nodes_of_a_cluster_have_the_same_address(tmp_path: Path, network: str) -> None:
    made = plan(tmp_path, "cluster", network)

    addresses = [
        made.address(part, port) for part in made.topology.parts.values() for port in part.ports
    ]

    assert len(set(addresses)) == len(addresses) > 30
    assert {host.rpartition(".")[0] for host in made.hosts.values()} == {network or "127.0.0"}


def test_clients_of_a_cluster_know_the_nodes_of_redis_and_else_haproxy(tmp_path: Path) -> None:
    made = plan(tmp_path, "cluster", "10.9.8")
    settings = made.application_settings()

    redis = settings["REDIS_URL"].removeprefix("redis-cluster://:redis-secret@").split(",")

    nodes = {
        kind: [made.hosts[part.name] for part in parts]
        for kind, parts in made.topology.kinds().items()
    }
    assert [address.partition(":")[0] for address in redis] == nodes["redis"]
    for name in ("DATABASE_URL", "BROKER_URL", "ELASTICSEARCH_URL"):
        assert urlsplit(settings[name]).hostname == nodes["haproxy"][0]
    assert settings["BASE_URL"] == made.front()


def test_a_sharded_database_takes_the_place_of_the_other(tmp_path: Path) -> None:
    made = plan(tmp_path, "vitess")

    databases = [kind for kind in made.topology.kinds() if "mysql" in kind or "maria" in kind]

    assert databases == ["mysqld"]
    assert urlsplit(made.application_settings()["DATABASE_URL"]).scheme == "vitess"
    assert made.settings.ports.keys() & {"vttablet_1", "vttablet_6", "vtgate", "etcd"}


def test_nodes_differ_only_where_they_have_to(tmp_path: Path) -> None:
    made = plan(tmp_path, "cluster", "10.9.8")

    web = [made.environment(made.part(name)) for name in ("web-1", "web-2")]
    workers = [made.programs(made.part(name)) for name in ("worker-1", "worker-2")]

    assert {name for name in web[0] if web[0][name] != web[1][name]} == {"PORT"}
    assert list(workers[1]) == [
        "worker-2-1",
        "worker-2-search",
        "worker-2-webhooks",
        "worker-2-background",
    ]
    assert "worker1-2@%h" in workers[1]["worker-2-1"]


def test_stacks_have_networks_of_their_own(tmp_path: Path) -> None:
    names = {Network(Layout(ROOT, tmp_path / name).identity).namespace("redis-1") for name in "abc"}

    assert len(names) == 3


def test_a_part_of_the_single_machine_cannot_be_cut_off(tmp_path: Path) -> None:
    made = plan(tmp_path, "single")
    made.settings.save(made.layout)

    with pytest.raises(StackError, match="only if root has started"):
        Stack(made.layout).cut(["redis"])


def test_another_topology_needs_an_empty_folder(tmp_path: Path) -> None:
    made = plan(tmp_path, "single")
    made.settings.save(made.layout)

    with pytest.raises(StackError, match="has the topology single"):
        Stack(made.layout).up(Options(topology="cluster"))
