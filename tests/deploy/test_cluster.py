"""docker-compose.cluster.yml runs the same application as docker-compose.yml, on clusters."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.chart import ONE_ADDRESS
from tests.docs import test_containers as containers
from tests.docs.test_containers import APPLICATION, ROOT, SECRETS, SETTINGS, given
from tests.programs import needed

FILE = "deploy/docker-compose.cluster.yml"
FOLDER = ROOT / "deploy" / "cluster"
#: The local cluster, which the tests of faults use.
LOCAL = ROOT / "scripts" / "localstack" / "topologies" / "cluster"
NODES = {
    engine: [f"{engine}-{number}" for number in range(1, count + 1)]
    for engine, count in {"mariadb": 3, "redis": 6, "rabbitmq": 3, "elasticsearch": 3}.items()
}
ENGINES = {node for nodes in NODES.values() for node in nodes}
ONCE = {"migrate", "redis-cluster", "elasticsearch-certificate"}
COOKIE = {"ERLANG_COOKIE": "5c0e8a4d2f6b91733e1d"}


@pytest.fixture
def cluster() -> Any:
    return yaml.safe_load((ROOT / FILE).read_text())


@pytest.fixture
def single() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def options(service: Any) -> set[str]:
    """The options of a command line."""
    command = service["command"]
    text = command if isinstance(command, str) else " ".join(command)
    return {found.strip() for found in re.findall(r"--.*?(?= --|$)", text)}


def assignments(file: Path) -> dict[str, str]:
    """The lines `name=value`, `name: value` or `name value` of a file without names to fill in."""
    found = re.findall(r"^([a-z][\w.-]*)(?:=|: | )([^$\n]+)$", file.read_text(), re.MULTILINE)
    return dict(found)


def sections(file: Path) -> dict[str, list[str]]:
    """The lines of each section of a configuration of HAProxy, without comments."""
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text and not line.startswith(" "):
            lines = found.setdefault(text, [])
        elif text:
            lines.append(text)
    return found


def test_it_runs_every_part_and_two_of_each_process_but_one_beat(cluster: Any) -> None:
    services = cluster["services"]

    assert set(services) == ENGINES | APPLICATION | ONCE | {"haproxy"}
    assert {name: services[name].get("scale", 1) for name in APPLICATION} == {
        name: 1 if name in {"beat", "migrate"} else 2 for name in APPLICATION
    }


def test_the_application_is_that_of_the_single_host(cluster: Any, single: Any) -> None:
    different = {"build", "depends_on", "environment", "networks", "ports", "scale"}
    for name in APPLICATION:
        one, other = cluster["services"][name], single["services"][name]
        keys = (one.keys() | other.keys()) - different
        assert {key: one.get(key) for key in keys} == {key: other.get(key) for key in keys}, name
        assert (ROOT / "deploy" / one["build"]).resolve() == ROOT
        assert one["environment"] == cluster["services"]["web"]["environment"], name


def test_it_has_every_setting_and_one_address_for_each_engine_but_redis(
    cluster: Any, single: Any
) -> None:
    chosen, other = given(cluster), given(single)
    nodes = ",".join(f"{node}:6379" for node in NODES["redis"])
    urls = {
        "DATABASE_URL": "mysql://chatsystem:d@haproxy:3306/chatsystem",
        "REDIS_URL": f"redis-cluster://:r@{nodes}",
        "BROKER_URL": "amqp://chatsystem:b@haproxy:5672//",
        "ELASTICSEARCH_URL": "http://elastic:e@haproxy:9200",
    }
    rest = SETTINGS - urls.keys()

    assert chosen == urls | {name: other[ONE_ADDRESS.get(name, name)] for name in rest}


def test_everything_is_there_before_what_needs_it(cluster: Any) -> None:
    services = cluster["services"]
    waits = {
        name: {one: wait["condition"] for one, wait in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    for conditions in waits.values():
        for name, condition in conditions.items():
            if condition == "service_healthy":
                assert services[name]["healthcheck"]["test"], name
            else:
                assert name in ONCE
    # A queue has as many replicas as there are nodes of RabbitMQ when it is declared.
    for name in APPLICATION - {"migrate"}:
        assert {"migrate", "redis-cluster", "haproxy", *NODES["rabbitmq"]} <= waits[name].keys()
    assert waits["migrate"] == {"haproxy": "service_healthy"}
    assert waits["search"].keys() >= {*NODES["elasticsearch"]}
    assert waits["redis-cluster"].keys() == {*NODES["redis"]}


def test_every_node_requires_the_password_of_the_application(cluster: Any) -> None:
    services = cluster["services"]
    asked = {
        "mariadb": ("MYSQL_PASSWORD", "${DATABASE_PASSWORD}"),
        "rabbitmq": ("RABBITMQ_DEFAULT_PASS", "${BROKER_PASSWORD}"),
        "elasticsearch": ("ELASTIC_PASSWORD", "${ELASTICSEARCH_PASSWORD}"),
    }
    for engine, (name, value) in asked.items():
        for node in NODES[engine]:
            assert services[node]["environment"][name] == value
    for node in NODES["redis"]:
        wanted = {"--requirepass ${REDIS_PASSWORD}", "--masterauth ${REDIS_PASSWORD}"}
        assert wanted <= options(services[node])
    for node in NODES["elasticsearch"]:
        assert services[node]["environment"]["xpack.security.enabled"] == "true"
    text = (ROOT / FILE).read_text()
    for name in [*SECRETS, *COOKIE]:
        assert re.search(rf"\$\{{{name}:\?", text), name
        assert not re.search(rf"\$\{{{name}:?-", text), name


def test_nodes_have_images_and_options_of_the_single_host(cluster: Any, single: Any) -> None:
    galera = assignments(FOLDER / "mariadb.cnf")
    for engine, nodes in NODES.items():
        alone = single["services"][engine]
        for node in nodes:
            service = cluster["services"][node]
            for key in ("image", "user", "mem_limit", "pids_limit", "stop_grace_period", "tmpfs"):
                assert service.get(key) == alone.get(key), (node, key)
            if engine == "redis":
                assert options(alone) <= options(service), node
            if engine == "mariadb":
                own = {f"--{name}={value}" for name, value in galera.items()}
                assert options(alone) <= own | {"--skip-name-resolve"}, node
            # A node is known by its name, and has data of its own.
            assert service["hostname"] == node
            assert service["volumes"][0].partition(":")[0] == node
            assert service["volumes"][0].partition(":")[2] in alone["volumes"][0]


def test_nodes_detect_faults_like_those_of_the_local_cluster(cluster: Any) -> None:
    services = cluster["services"]
    redis_options = {
        f"--{name} {value}" for name, value in assignments(LOCAL / "redis" / "redis.conf").items()
    }
    elasticsearch = assignments(LOCAL / "elasticsearch" / "config" / "elasticsearch.yml")
    galera = assignments(FOLDER / "mariadb.cnf")
    local = assignments(LOCAL / "mariadb" / "server.cnf")
    times = re.findall(r"(?:pc|evs)\.\w+=\w+", (LOCAL / "mariadb" / "server.cnf").read_text())

    assert len(redis_options) == 6
    assert redis_options <= options(services["redis-1"])
    assert len(elasticsearch) == 4
    assert elasticsearch.items() <= services["elasticsearch-1"]["environment"].items()
    assert {**galera, "innodb-buffer-pool-size": "128M"}.items() >= local.items()
    assert len(times) == 3
    assert all(time in galera["wsrep-provider-options"] for time in times)


def test_haproxy_has_the_checks_and_timeouts_of_the_local_cluster() -> None:
    own, local = sections(FOLDER / "haproxy.cfg"), sections(LOCAL / "haproxy" / "haproxy.cfg")
    differs = ("bind ", "server", "$", "default-server resolvers", "http-request return")

    for name in ("defaults", "listen database", "listen broker", "frontend web", "backend web"):
        one, other = (
            [line for line in lines[name] if not line.startswith(differs)] for lines in (own, local)
        )
        assert one == other, name
    assert "on-marked-down shutdown-sessions" in " ".join(own["defaults"])


def test_haproxy_leads_to_all_nodes(cluster: Any) -> None:
    own = sections(FOLDER / "haproxy.cfg")
    servers = {
        name: [line for line in lines if line.startswith("server")] for name, lines in own.items()
    }
    copies = cluster["services"]["web"]["scale"]
    [connections] = re.findall(r"maxconn (\d+)", " ".join(own["global"]))

    assert cluster["services"]["haproxy"]["ulimits"]["nofile"] > 2 * int(connections)

    # The first node that is up is written to; the table of this section keeps it.
    assert servers["listen database"] == [
        f"server {node} {node}:3306 check backup" for node in NODES["mariadb"]
    ]
    for name, engine, port in (("broker", "rabbitmq", 5672), ("search", "elasticsearch", 9200)):
        assert servers[f"listen {name}"] == [
            f"server {node} {node}:{port} check" for node in NODES[engine]
        ]
    assert servers["backend web"] == [f"server-template web {copies} web:8000 check"]


def test_every_engine_knows_all_its_nodes(cluster: Any) -> None:
    services = cluster["services"]
    address = f"gcomm://{','.join(NODES['mariadb'])}"

    assert re.findall(r"rabbit@(\S+)", (FOLDER / "rabbitmq.conf").read_text()) == NODES["rabbitmq"]
    assert assignments(FOLDER / "mariadb.cnf")["wsrep-cluster-address"] == address
    for node in NODES["elasticsearch"]:
        environment = services[node]["environment"]
        assert environment["node.name"] == node
        for name in ("discovery.seed_hosts", "cluster.initial_master_nodes"):
            assert environment[name].split(",") == NODES["elasticsearch"]


def test_everything_is_limited_hardened_and_comes_back(cluster: Any) -> None:
    for name, service in cluster["services"].items():
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert service["read_only"] is (not name.startswith("elasticsearch")), name
        if name not in APPLICATION:
            assert re.search(r":\d+\.\d+\.\d+(-[a-z]+)*$", service["image"]), name
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            is_file = rest.endswith(":ro") and (ROOT / "deploy" / source).exists()
            assert source in cluster["volumes"] or is_file, volume


def test_only_haproxy_is_reached_from_outside(cluster: Any) -> None:
    services = cluster["services"]
    outside = {name for name, one in cluster["networks"].items() if not (one or {}).get("internal")}
    reached = {name: outside & {*one["networks"]} for name, one in services.items()}

    assert {name: one["ports"] for name, one in services.items() if "ports" in one} == {
        "haproxy": ["127.0.0.1:${PORT:-8000}:8000"]
    }
    assert {name: ways for name, ways in reached.items() if ways} == {
        "haproxy": {"front"},
        "webhooks": {"out"},
    }
    assert all("data" in service["networks"] for service in services.values())


@pytest.mark.costly
def test_haproxy_reads_its_file() -> None:
    read = subprocess.run(
        [needed("haproxy", "haproxy"), "-c", "-f", FOLDER / "haproxy.cfg"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert read.returncode == 0, read.stderr
    # The nodes have no addresses here. HAProxy starts nevertheless, and asks for them later.
    warnings = [line for line in read.stderr.splitlines() if "WARNING" in line]
    assert all("could not resolve address" in warning for warning in warnings), read.stderr


@pytest.mark.costly
def test_compose_reads_its_file(cluster: Any) -> None:
    read = containers.compose_reads(FILE, **SECRETS, **COOKIE)

    assert read.returncode == 0, read.stderr
    services = yaml.safe_load(read.stdout)["services"]
    assert services.keys() == cluster["services"].keys()
    environment = {key: str(value) for key, value in services["web"]["environment"].items()}
    assert environment == given(cluster)
