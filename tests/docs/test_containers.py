"""The container files match the code: same parts, settings and commands."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from localstack.topology import load_topology

from chatsystem.env import Environment
from infra.rabbitmq.queues import WORK
from tests.programs import needed

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES = {"mariadb", "redis", "rabbitmq", "elasticsearch"}
APPLICATION = {"web", "worker", "search", "webhooks", "background", "beat", "migrate"}
SETTINGS = {name.upper() for name in Environment.model_fields}
SECRETS = {
    "SECRET_KEY": "0c4f1ba2d6e8937501a2f4b6c8d0e1f3",
    "DATABASE_PASSWORD": "d",
    "REDIS_PASSWORD": "r",
    "BROKER_PASSWORD": "b",
    "ELASTICSEARCH_PASSWORD": "e",
}
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?:(:?[-?])([^}]*))?\}")


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def given(compose: Any, **chosen: str) -> dict[str, str]:
    """The environment of the application's processes, where these were chosen by .env."""
    chosen = {**SECRETS, **chosen}

    def value(found: re.Match[str]) -> str:
        name, _, default = found.groups()
        return chosen.get(name) or default or ""

    environment = compose["services"]["web"]["environment"]
    return {name: VARIABLE.sub(value, str(text)) for name, text in environment.items()}


def example() -> dict[str, str]:
    """The values of .env.example, those that are commented out included."""
    text = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))


def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("chatsystem.env.find_spec", lambda _: object())
    return Environment()


def template(name: str) -> str:
    """A configuration file of the local stack."""
    return (ROOT / "scripts" / "localstack" / "templates" / name).read_text()


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_compose_runs_every_part(compose: Any) -> None:
    assert set(compose["services"]) == SERVICES | APPLICATION


def test_every_service_that_others_wait_for_has_a_health_check(compose: Any) -> None:
    for service in compose["services"].values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert compose["services"][name]["healthcheck"]["test"], name


def test_everything_is_there_before_what_needs_it(compose: Any) -> None:
    services = compose["services"]
    for name in APPLICATION - {"migrate"}:
        conditions = {one: wait["condition"] for one, wait in services[name]["depends_on"].items()}
        assert conditions["migrate"] == "service_completed_successfully"
        assert conditions["redis"] == conditions["rabbitmq"] == "service_healthy"
    assert services["migrate"]["depends_on"]["mariadb"]["condition"] == "service_healthy"
    assert "elasticsearch" in services["search"]["depends_on"]


def test_the_application_is_given_every_setting(compose: Any) -> None:
    assert set(compose["services"]["web"]["environment"]) == SETTINGS
    for name in APPLICATION:
        assert (
            compose["services"][name]["environment"] == (compose["services"]["web"]["environment"])
        )


def test_what_it_is_given_is_accepted_and_is_production(
    compose: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = settings(given(compose), monkeypatch)

    assert environment.profile == "production"
    assert environment.keys_required
    assert environment.logs_json
    assert environment.rate_limit


def test_secrets_have_no_default(compose: Any) -> None:
    text = yaml.dump(compose["services"]["web"]["environment"], width=10_000)
    for name in SECRETS:
        assert re.search(rf"\$\{{{name}:\?", text), name


def test_every_service_asks_for_the_password_that_the_application_is_given(compose: Any) -> None:
    services = compose["services"]
    given_to = {
        "mariadb": services["mariadb"]["environment"]["MYSQL_PASSWORD"],
        "redis": services["redis"]["command"].split("--requirepass ")[1],
        "rabbitmq": services["rabbitmq"]["environment"]["RABBITMQ_DEFAULT_PASS"],
        "elasticsearch": services["elasticsearch"]["environment"]["ELASTIC_PASSWORD"],
    }
    assert given_to == {
        "mariadb": "${DATABASE_PASSWORD}",
        "redis": "${REDIS_PASSWORD}",
        "rabbitmq": "${BROKER_PASSWORD}",
        "elasticsearch": "${ELASTICSEARCH_PASSWORD}",
    }
    assert services["elasticsearch"]["environment"]["xpack.security.enabled"] == "true"
    urls = [value for name, value in given(compose).items() if name.endswith("_URL")]
    assert sorted(str(urlsplit(url).password) for url in urls) == ["b", "d", "e", "r"]


def test_the_example_has_every_setting_and_every_variable_of_compose(compose: Any) -> None:
    files = [ROOT / "docker-compose.yml", ROOT / "deploy" / "docker-compose.cluster.yml"]
    variables = {name for file in files for name, *_ in VARIABLE.findall(file.read_text())}

    assert set(example()) == SETTINGS | variables
    assert all(not example()[name] for name in SECRETS)


def test_the_example_shows_the_defaults(compose: Any) -> None:
    by_default = given(compose)
    for name, value in example().items():
        if value and name in by_default:
            assert by_default[name] == value, name


def test_every_value_of_the_example_can_be_chosen(compose: Any) -> None:
    folders = {"VAR_DIR", "PROMETHEUS_MULTIPROC_DIR"}
    services = {f"{name}_URL" for name in ("DATABASE", "REDIS", "BROKER", "ELASTICSEARCH")}
    for name in SETTINGS - folders - services - {"PORT"}:
        assert given(compose, **{name: "chosen"})[name] == "chosen", name


def test_every_queue_has_a_worker_and_none_stores_and_searches(compose: Any) -> None:
    queues = [
        queue
        for name in ("worker", "search", "webhooks", "background")
        for queue in compose["services"][name]["command"]
        .split("--queues ")[1]
        .split()[0]
        .split(",")
    ]

    assert sorted(queues) == sorted(WORK)


def test_images_are_pinned(compose: Any) -> None:
    images = [compose["services"][name]["image"] for name in SERVICES]
    stages = re.findall(r"^FROM (\S+:\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert len(stages) == 2
    for image in [*images, *stages]:
        assert re.search(r":\d+\.\d+\.\d+(-[a-z]+)*(@sha256:[0-9a-f]{64})?$", image), image
    assert len({*stages}) == 1


def test_the_versions_are_among_those_that_the_tests_were_run_on(compose: Any) -> None:
    wanted = (ROOT / "scripts" / "elasticsearch" / "version").read_text().strip()
    text = (ROOT / "docs" / "stack.md").read_text()
    tested = dict(re.findall(r"^\| (\w+) \|([^|]+\|[^|]+)\|", text, re.MULTILINE))

    assert compose["services"]["elasticsearch"]["image"].endswith(f":{wanted}")
    for name in SERVICES:
        version = compose["services"][name]["image"].rpartition(":")[2]
        assert re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", tested[name]), name


def test_mariadb_is_set_like_that_of_the_local_stack(compose: Any) -> None:
    local = dict(re.findall(r"^([a-z-]+)=(\S+)$", template("mariadb/server.cnf"), re.MULTILINE))
    # MySQL does not know the last; it concerns only who creates accounts.
    local["sql-mode"] = local["sql-mode"].replace("NO_AUTO_CREATE_USER,", "")
    options = [
        option.removeprefix("--").partition("=")[::2]
        for option in compose["services"]["mariadb"]["command"]
    ]
    for name, value in options:
        if value:
            assert local[name] == value, name
    assert {"sql-mode", "innodb-flush-log-at-trx-commit", "transaction-isolation"} <= {
        name for name, _ in options
    }


def test_redis_is_set_like_that_of_the_local_stack(compose: Any) -> None:
    command = compose["services"]["redis"]["command"]

    for name in ("appendonly", "appendfsync", "save", "maxmemory-policy"):
        [value] = re.findall(rf"^{name} (\S+)$", template("redis/redis.conf"), re.MULTILINE)
        assert f"--{name} {value}" in command
    [memory] = re.findall(r"--maxmemory (\d+)mb", command)
    assert int(memory) < 1536 == int(compose["services"]["redis"]["mem_limit"].removesuffix("m"))


def test_every_queue_is_on_disk_on_a_broker_that_has_quorum_queues(compose: Any) -> None:
    version = compose["services"]["rabbitmq"]["image"].rpartition(":")[2]

    assert tuple(map(int, version.split("."))) >= (3, 10, 0)
    assert compose["services"]["rabbitmq"]["hostname"]
    assert all((queue.queue_arguments or {})["x-queue-type"] == "quorum" for queue in WORK.values())


def test_what_was_begun_is_ended_before_a_container_is_killed(compose: Any) -> None:
    services = compose["services"]
    parts = {"web": "web", "worker": "worker", "search": "worker", "webhooks": "worker"} | {
        name: name for name in SERVICES
    }
    for name, part in parts.items():
        assert (
            seconds(services[name]["stop_grace_period"])
            >= load_topology("single").parts[part].stop_limit_s
        )


def test_everything_is_limited_and_comes_back(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    for name in SERVICES:
        [volume] = compose["services"][name]["volumes"]
        assert volume.partition(":")[0] in compose["volumes"]


def test_nothing_is_reached_from_outside_but_the_web_server_of_this_machine(compose: Any) -> None:
    published = {name: one["ports"] for name, one in compose["services"].items() if "ports" in one}

    assert published == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_only_web_server_and_webhooks_are_on_networks_that_lead_outside(compose: Any) -> None:
    outside = {name for name, one in compose["networks"].items() if not (one or {}).get("internal")}
    reached = {name: [*outside & {*one["networks"]}] for name, one in compose["services"].items()}

    assert {name: ways for name, ways in reached.items() if ways} == {
        "web": ["front"],
        "webhooks": ["out"],
    }
    assert all("data" in service["networks"] for service in compose["services"].values())


def test_no_container_can_do_more_than_it_needs(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        # Elasticsearch writes its password beside its configuration.
        assert service["read_only"] is (name != "elasticsearch"), name
    # Started as root, their scripts would need privileges in order to give them up.
    users = {name: compose["services"][name].get("user") for name in SERVICES}
    assert users == {
        "mariadb": "mysql",
        "redis": "valkey",
        "rabbitmq": "rabbitmq",
        "elasticsearch": None,
    }


def test_the_folder_of_metrics_is_the_applications_and_shared(compose: Any) -> None:
    folder = compose["services"]["web"]["environment"]["PROMETHEUS_MULTIPROC_DIR"]

    assert f"install --directory --owner=chatsystem {folder}" in (ROOT / "Dockerfile").read_text()
    for name in APPLICATION:
        assert f"metrics:{folder}" in compose["services"][name]["volumes"]


def test_the_image_runs_as_nobody_special_and_without_a_compiler() -> None:
    build, application, final = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-3:]

    assert "--require-hashes -r requirements.txt" in build
    assert "gcc" in build
    assert "collectstatic" in application
    assert "gcc" not in final
    assert "\nUSER chatsystem\n" in final
    copied = final.index("COPY --from=application /srv/chatsystem .")
    assert copied < final.index("USER chatsystem")
    assert "HEALTHCHECK" in final


def test_no_secret_gets_into_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()

    assert {".env", ".env.*", "var", ".git"} <= {*ignored}


def compose_program() -> list[str]:
    """The plugin of docker, or else the program of its own that there was before."""
    plugin = ["docker", "compose"]
    if shutil.which("docker"):
        asked = subprocess.run([*plugin, "version"], capture_output=True, check=False)
        if not asked.returncode:
            return plugin
    return [needed("docker-compose", "docker-compose")]


def compose_reads(
    file: str = "docker-compose.yml", /, **environment: str
) -> subprocess.CompletedProcess[str]:
    """What the real program makes of the file with .env.example and this environment."""
    options = ["--file", file, "--env-file", ".env.example"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [*compose_program(), *options, "config"],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.costly
def test_compose_reads_its_file(compose: Any) -> None:
    read = compose_reads(**SECRETS)

    assert read.returncode == 0, read.stderr
    services = yaml.safe_load(read.stdout)["services"]
    assert {*services} == SERVICES | APPLICATION
    for name, service in services.items():
        wanted = compose["services"][name].get("depends_on", {})
        assert {*service.get("depends_on", {})} == {*wanted}, name
    for name in APPLICATION:
        environment = {key: str(value) for key, value in services[name]["environment"].items()}
        assert environment == given(compose)


@pytest.mark.costly
@pytest.mark.parametrize("secret", SECRETS)
def test_compose_wants_each_secret(secret: str) -> None:
    read = compose_reads(**{name: value for name, value in SECRETS.items() if name != secret})

    assert read.returncode
    assert f": set {secret}" in read.stderr
