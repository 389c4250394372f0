"""scripts/stack up --topology cluster: all services as clusters, whose nodes can be broken.

The application is not started: these tests are about the services. As they start sixteen servers,
they run only when they are asked for: pytest -m cluster -n 0 tests/stack/test_cluster.py
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import MySQLdb
import pytest
from kombu import Connection, Queue
from localstack.network import Network
from localstack.settings import Layout
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException, RedisError

from tests.live.servers import eventually
from tests.stack.instance import Instance

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
COUNTS = {"mariadb": 3, "redis": 6, "rabbitmq": 3, "elasticsearch": 3}
NODES = [f"{kind}-{number}" for kind, count in COUNTS.items() for number in range(1, count + 1)]
KEYS = [f"key-{number}" for number in range(60)]  # of all shards
REDIS_ERRORS = (RedisError, RedisClusterException)
WITHIN_S = 60
SLOWLY_S = 180

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can cut parts off")


class Cluster:
    """The clients of one cluster."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.env = instance.env()

    def do(self, *arguments: str) -> str:
        return self.instance.do(*arguments)

    def states(self) -> dict[str, str]:
        return {name: part.state for name, part in self.instance.status().items()}

    @contextmanager
    def database(self) -> Iterator[Any]:
        """A cursor that commits each statement, by HAProxy."""
        url = urlsplit(self.env["DATABASE_URL"])
        options: dict[str, Any] = {
            "host": url.hostname,
            "port": url.port,
            "user": url.username,
            "password": url.password,
            "database": url.path[1:],
            "connect_timeout": 5,
            "read_timeout": 20,
            "autocommit": True,
        }
        with closing(MySQLdb.connect(**options)) as connection, connection.cursor() as cursor:
            yield cursor

    def ask(self, statement: str) -> Any:
        """The last column of the first row that the writer answers."""
        with self.database() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[-1]

    def writer(self) -> str:
        """The node to which HAProxy leads."""
        return str(self.ask("SELECT @@wsrep_node_name"))

    def can_write_rows(self) -> bool:
        try:
            with self.database() as cursor:
                cursor.execute("INSERT INTO notes VALUES (NULL)")
        except MySQLdb.Error:
            return False
        return True

    def rows(self) -> int:
        return int(self.ask("SELECT COUNT(*) FROM notes"))

    def synced(self) -> int:
        """How many nodes the cluster has, as its writer sees it."""
        try:
            return int(self.ask("SHOW STATUS LIKE 'wsrep_cluster_size'"))
        except MySQLdb.Error:
            return 0

    def redis(self) -> RedisCluster:
        url = self.env["REDIS_URL"].removeprefix("redis-cluster://:")
        password, _, addresses = url.partition("@")
        nodes = []
        for address in addresses.split(","):
            host, _, port = address.partition(":")
            nodes.append(ClusterNode(host, int(port)))  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, password=password, socket_timeout=2)

    def can_write_keys(self, value: str) -> bool:
        try:
            with self.redis() as client:
                return all(client.set(key, value) for key in KEYS)
        except REDIS_ERRORS:
            return False

    def has_keys(self, value: str) -> bool:
        """Whether all shards answer, and with this value."""
        try:
            with self.redis() as client:
                return {client.get(key) for key in KEYS} == {value.encode()}
        except REDIS_ERRORS:
            return False

    def masters(self) -> list[str]:
        """The Redis nodes that are masters, by the part's name; none while that is not known."""
        try:
            with self.redis() as client:
                ports = {node.port for node in client.get_primaries()}
        except REDIS_ERRORS:
            return []
        return [name for name, part in self.instance.status().items() if part.port in ports]

    def is_replaced(self, node: str) -> bool:
        """Whether there are three masters, and this node is none of them."""
        masters = self.masters()
        return len(masters) == 3 and node not in masters

    def broker(self, number: int = 0) -> Connection:
        """The connection to this node; 0 is HAProxy."""
        url = self.env["BROKER_URL"]
        if number:
            netloc = urlsplit(url).netloc
            login, _, _ = netloc.rpartition("@")
            url = url.replace(netloc, f"{login}@{self.address(f'rabbitmq-{number}')}")
        return Connection(url, connect_timeout=5, transport_options={"confirm_publish": True})

    def search_url(self, number: int) -> str:
        return f"http://{self.address(f'elasticsearch-{number}')}"

    def address(self, part: str) -> str:
        return f"{self.instance.hosts()[part]}:{self.instance.status()[part].port}"

    def elasticsearch_nodes(self, number: int) -> int:
        """How many nodes the cluster has, as this one sees it."""
        try:
            health = httpx.get(f"{self.search_url(number)}/_cluster/health", timeout=5)
        except httpx.HTTPError:
            return 0
        return int(health.json().get("number_of_nodes", 0))

    def inside(self, part: str, *command: str) -> str:
        """The output of a command in the part's namespace."""
        identity = Layout(ROOT, self.instance.folder).identity
        namespace = Network(identity).namespace(part)
        password = self.env["REDIS_URL"].removeprefix("redis-cluster://:").partition("@")[0]
        return subprocess.run(
            ["ip", "netns", "exec", namespace, *command],
            env=os.environ | {"REDISCLI_AUTH": password},
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        ).stdout


def up(instance: Instance) -> None:
    instance.do("up", "--topology", "cluster", "--services-only", "--port", "0")


@pytest.fixture
def cluster(instance: Instance) -> Cluster:
    """All services running and connected, whatever the test before has left."""
    up(instance)
    made = Cluster(instance)
    with made.database() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS notes (id INT AUTO_INCREMENT PRIMARY KEY)")
    return made


def test_all_services_run_and_the_application_does_not(cluster: Cluster) -> None:
    states = cluster.states()

    assert {name for name, state in states.items() if state == "running"} == {*NODES, "haproxy"}
    assert {states[name] for name in ("web-1", "worker-2", "beat")} == {"stopped"}


def test_up_changes_nothing_when_all_run(cluster: Cluster) -> None:
    before = cluster.instance.standing()

    up(cluster.instance)

    assert cluster.instance.standing() == before


def test_a_shard_without_its_master_is_read_and_with_a_replica_again_written(
    cluster: Cluster,
) -> None:
    assert cluster.can_write_keys("before")
    victim = cluster.masters()[0]

    cluster.do("kill", victim)
    eventually(lambda: cluster.is_replaced(victim), WITHIN_S, "a replica has taken over")
    assert cluster.has_keys("before")
    assert not cluster.can_write_keys("during")  # min-replicas-to-write: the new master is alone

    cluster.do("start", victim)
    eventually(lambda: cluster.can_write_keys("after"), WITHIN_S, "it is a replica")
    assert cluster.is_replaced(victim)
    assert cluster.has_keys("after")


@needs_root
def test_a_master_that_is_cut_off_refuses_writes_and_loses_its_place(cluster: Cluster) -> None:
    assert cluster.can_write_keys("before")
    victim = cluster.masters()[0]
    host = cluster.instance.hosts()[victim]
    port = str(cluster.instance.status()[victim].port)
    command = ("redis-cli", "-h", host, "-p", port)

    cluster.do("cut", victim)
    assert cluster.states()[victim] == "cut"
    eventually(
        lambda: "good_slaves:0" in cluster.inside(victim, *command, "info", "replication"),
        WITHIN_S,
        "it has noticed",
    )
    answers = [cluster.inside(victim, *command, "set", key, "lost") for key in KEYS]
    refusals = ("NOREPLICAS", "MOVED", "CLUSTERDOWN")
    assert [answer for answer in answers if not answer.startswith(refusals)] == []
    eventually(lambda: cluster.is_replaced(victim), WITHIN_S, "a replica has taken over")
    assert cluster.has_keys("before")

    cluster.do("heal", victim)
    assert cluster.states()[victim] == "running"
    eventually(lambda: cluster.can_write_keys("after"), WITHIN_S, "it follows the new master")
    assert cluster.is_replaced(victim)


def test_a_quorum_queue_outlives_any_node(cluster: Cluster) -> None:
    queue = Queue("quorum", queue_arguments={"x-queue-type": "quorum"})
    with cluster.broker() as connection:
        queue.bind(connection.default_channel).declare()

    def takes(number: int, expected: int) -> bool:
        with cluster.broker(number) as connection:
            errors: tuple[type[BaseException], ...] = connection.recoverable_connection_errors
            try:
                message = queue.bind(connection.default_channel).get(no_ack=True)
            except (*errors, *connection.channel_errors):
                return False
        return message is not None and message.payload == expected

    for number in (1, 2, 3):
        with cluster.broker(number) as connection:
            connection.Producer().publish(number, routing_key="quorum")
        cluster.do("kill", f"rabbitmq-{number}")

        takes_it = partial(takes, number % 3 + 1, number)
        eventually(takes_it, WITHIN_S, "another node has the message", every=0.5)
        cluster.do("start", f"rabbitmq-{number}")


def test_one_node_of_mariadb_writes_until_it_is_lost_and_not_again(cluster: Cluster) -> None:
    assert cluster.can_write_rows()
    rows, victim = cluster.rows(), cluster.writer()

    cluster.do("kill", victim)
    eventually(cluster.can_write_rows, WITHIN_S, "another node writes")
    successor = cluster.writer()
    assert successor != victim
    assert cluster.rows() > rows

    cluster.do("start", victim)
    eventually(lambda: cluster.synced() == 3, WITHIN_S, "all nodes are there")
    assert {cluster.writer() for _ in range(10)} == {successor}


def test_a_writer_that_hangs_is_replaced(cluster: Cluster) -> None:
    victim = cluster.writer()

    cluster.do("pause", victim)
    eventually(cluster.can_write_rows, WITHIN_S, "another node writes")

    cluster.do("resume", victim)
    eventually(lambda: cluster.synced() == 3, WITHIN_S, "all nodes are there")


@needs_root
def test_a_writer_that_is_cut_off_is_replaced_and_comes_back(cluster: Cluster) -> None:
    victim = cluster.writer()

    cluster.do("cut", victim)
    eventually(cluster.can_write_rows, WITHIN_S, "another node writes")

    cluster.do("heal", victim)
    eventually(lambda: cluster.synced() == 3, WITHIN_S, "all nodes are there")


def test_a_wiped_node_of_mariadb_copies_the_data_of_another(cluster: Cluster) -> None:
    assert cluster.can_write_rows()
    writer = cluster.writer()
    victim = next(f"mariadb-{number}" for number in (1, 2) if f"mariadb-{number}" != writer)

    cluster.do("wipe", victim)
    cluster.do("start", victim)

    eventually(lambda: cluster.synced() == 3, WITHIN_S, "all nodes are there")


def test_elasticsearch_goes_on_without_a_node(cluster: Cluster) -> None:
    assert cluster.elasticsearch_nodes(1) == 3

    cluster.do("kill", "elasticsearch-1")
    eventually(lambda: cluster.elasticsearch_nodes(2) == 2, WITHIN_S, "two are left")
    answer = httpx.put(f"{cluster.search_url(3)}/notes/_doc/1?refresh=true", json={}, timeout=60)
    assert answer.is_success

    cluster.do("start", "elasticsearch-1")
    eventually(lambda: cluster.elasticsearch_nodes(1) == 3, SLOWLY_S, "all are there")


@pytest.mark.parametrize("way", ["down", "kill"])
def test_all_data_is_there_after_everything_has_stopped(cluster: Cluster, way: str) -> None:
    assert cluster.can_write_rows()
    assert cluster.can_write_keys(way)
    rows = cluster.rows()

    if way == "down":
        cluster.do("down")
    else:
        for name in NODES:
            cluster.do("kill", name)
    up(cluster.instance)

    assert cluster.rows() == rows
    assert cluster.synced() == 3
    assert cluster.elasticsearch_nodes(1) == 3
    assert cluster.has_keys(way)


def test_down_leaves_no_process_and_no_network(cluster: Cluster) -> None:
    identity = Layout(ROOT, cluster.instance.folder).identity
    prefix = Network(identity).namespace("")

    cluster.do("down")

    assert cluster.instance.processes() == []
    names = [*Path("/sys/class/net").iterdir(), *Path("/run").glob("netns/*")]
    assert [path for path in names if path.name.startswith(prefix[:-1])] == []
