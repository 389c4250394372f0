"""The chart matches the code and docker-compose.yml, and its schema refuses what cannot work."""

import re
import tomllib
from typing import Any

import pytest
import yaml
from django.urls import resolve
from jsonschema import Draft7Validator

from operations import health
from tests.deploy.chart import (
    APPLICATION,
    CHART,
    DEFAULTS,
    ONE_ADDRESS,
    ROOT,
    SCHEMA,
    SECRETS,
    VALUES,
    errors,
    with_file,
)
from tests.docs import test_containers as containers

SETTINGS: dict[str, Any] = DEFAULTS["settings"]
#: Settings that the chart puts into a Secret.
MADE = {
    "SECRET_KEY": containers.SECRETS["SECRET_KEY"],
    "DATABASE_URL": "mysql://chatsystem:d@database:3306/chatsystem",
    "REDIS_URL": "redis://:r@redis:6379/0",
    "BROKER_URL": "amqp://chatsystem:b@rabbitmq:5672//",
    "ELASTICSEARCH_URL": "http://elastic:e@search:9200",
}
TOKEN = {"METRICS_TOKEN": "7d1f0c9be2a84356"}
INGRESS = {"enabled": True, "hosts": ["chat.example"]}
HTTPS = {**INGRESS, "tlsSecret": "chat-example"}


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def started(monkeypatch: pytest.MonkeyPatch, **changes: object) -> Any:
    """The settings as the application reads them from the chart's environment."""
    chart = {**MADE, **SETTINGS, **APPLICATION["environment"], **changes}
    return containers.settings({name: str(value) for name, value in chart.items()}, monkeypatch)


def is_accepted(monkeypatch: pytest.MonkeyPatch, **changes: object) -> bool:
    try:
        started(monkeypatch, **changes)
    except ValueError:
        return False
    return True


def described(values: dict[str, Any], prefix: str = "") -> list[str]:
    """The names in the README, which describes some groups as a whole."""
    found = []
    for name, value in values.items():
        whole = name in {"settings", "secrets", "resources", "annotations", "labels"}
        if isinstance(value, dict) and value and not whole:
            found += described(value, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}")
    return found


def test_settings_are_those_of_compose(compose: Any) -> None:
    given = containers.given(compose)
    chart = {**SETTINGS, **APPLICATION["environment"]}

    assert sorted([*chart, *SECRETS]) == sorted(containers.SETTINGS)
    for name, value in chart.items():
        assert str(value) == given[ONE_ADDRESS.get(name, name)], name


def test_the_application_starts_with_them_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = started(monkeypatch)

    assert environment.profile == "production"
    assert environment.keys_required
    assert environment.logs_json


def test_processes_are_those_of_compose(compose: Any) -> None:
    services = compose["services"]
    commands = APPLICATION["commands"]
    workers = containers.APPLICATION - {"web", "migrate", "beat"}

    assert commands["migrate"] == services["migrate"]["command"]
    assert commands["beat"] == services["beat"]["command"]
    assert commands["workers"] == {name: services[name]["command"] for name in workers}
    assert DEFAULTS["workers"].keys() == workers
    for name in containers.APPLICATION:
        stop = containers.seconds(services[name]["stop_grace_period"])
        assert stop == APPLICATION["stopSeconds"], name


def test_the_image_has_what_the_chart_uses() -> None:
    text = (ROOT / "Dockerfile").read_text()
    environment = APPLICATION["environment"]
    [web] = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)

    assert APPLICATION["commands"]["web"].split() == yaml.safe_load(web)
    assert f"\nEXPOSE {APPLICATION['port']}\n" in text
    assert f"useradd --uid {APPLICATION['user']} " in text
    assert f" {environment['PROMETHEUS_MULTIPROC_DIR']}\n" in text
    assert environment["PORT"] == APPLICATION["port"]
    views: dict[str, Any] = {
        name: resolve(path).func for name, path in APPLICATION["routes"].items()
    }
    assert {name: view.cls for name, view in views.items()} == {
        "live": health.Live,
        "ready": health.Ready,
        "metrics": health.MetricsView,
    }


def test_the_schema_has_every_value_and_accepts_the_tested_files() -> None:
    def compare(schema: dict[str, Any], values: dict[str, Any], path: str) -> None:
        schema = SCHEMA["definitions"].get(schema.get("$ref", "").rpartition("/")[2], schema)
        if not schema.get("properties") or path.endswith(("secrets", "resources")):
            return
        assert schema["additionalProperties"] is False, path
        assert schema["properties"].keys() - {"global"} == values.keys(), path
        assert {*schema["required"]} == values.keys(), path
        for name, value in values.items():
            compare(schema["properties"][name], value, f"{path}.{name}")

    Draft7Validator.check_schema(SCHEMA)
    compare(SCHEMA, DEFAULTS, "$")
    for file in VALUES:
        assert not list(Draft7Validator(SCHEMA).iter_errors(with_file(file))), file


def test_numbers_have_the_range_of_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    properties: dict[str, Any] = SCHEMA["properties"]["settings"]["properties"]
    numbers = {name for name, kind in properties.items() if kind.get("type") == "integer"}
    assert numbers == {
        name
        for name, value in SETTINGS.items()
        if isinstance(value, int) and "switch" not in properties[name].get("$ref", "")
    }
    for name in numbers:
        low, high = properties[name]["minimum"], properties[name]["maximum"]
        for value, is_right in ((low - 1, False), (low, True), (high, True), (high + 1, False)):
            assert is_accepted(monkeypatch, **{name: value}) is is_right, (name, value)
            assert (not errors(settings={name: value})) is is_right, (name, value)


def test_the_schema_refuses_what_the_application_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, right, wrong in (
        ("CORS_ORIGINS", "https://a.example,http://b.example:81", "https://a.example/"),
        ("RATE_LIMIT", "1000000/h", "1000001/h"),
        ("RATE_LIMIT", "", "100"),
        ("LOG_LEVEL", "WARNING", "LOUD"),
        ("LOG_FORMAT", "line", "xml"),
        ("ELASTICSEARCH_INDEX", "chat_1.x", "Chat"),
        ("OPERATOR_NETWORKS", "10.0.0.0/8,fd00::/8", "inside"),
        ("WEBHOOK_ALLOWED_NETWORKS", "", "example.org"),
        ("ALLOWED_HOSTS", "chat.example,.example.org", ""),
    ):
        assert is_accepted(monkeypatch, **{name: right}), name
        assert not errors(settings={name: right}), name
        assert not is_accepted(monkeypatch, **{name: wrong}), name
        assert errors(settings={name: wrong}), name


def test_each_engine_has_one_address_but_redis_cluster() -> None:
    nodes = "redis-cluster://:r@redis-1:6379,redis-2:6379"

    assert not errors(existingSecret="", secrets={**MADE, "REDIS_URL": nodes})
    for name, value in {
        "DATABASE_URL": "mysql://chatsystem:d@database-1:3306,database-2:3306/chatsystem",
        "BROKER_URL": "amqp://chatsystem:b@rabbitmq-1:5672//;amqp://chatsystem:b@rabbitmq-2:5672//",
        "ELASTICSEARCH_URL": "http://search-1:9200,http://search-2:9200",
    }.items():
        assert errors(existingSecret="", secrets={**MADE, name: value}), name


def test_the_schema_refuses_what_cannot_work() -> None:
    wrong: list[dict[str, Any]] = [
        {"existingSecret": ""},
        {"secrets": MADE},
        *({"existingSecret": "", "secrets": {**MADE, name: ""}} for name in MADE),
        {"existingSecret": "", "secrets": {**MADE, "OTHER": "x"}},
        {"existingSecret": "", "secrets": MADE, "metrics": {"enabled": True}},
        {"settings": {"DEBUG": 1}},
        {"settings": {"DATABASE_URL": MADE["DATABASE_URL"]}},
        {"ingress": {"enabled": True}},
        {"ingress": INGRESS, "settings": {"OPERATOR_NETWORKS": "10.0.0.0/8"}},
        {"ingress": HTTPS},
        {"ingress": {**INGRESS, "hosts": ["https://chat.example"]}},
        {"web": {"replicas": 0}},
        {"web": {"maxUnavailable": 0}},
        {"workers": {"other": {"replicas": 1}}},
        {"beat": {"replicas": 2}},
        {"networkPolicy": {"clients": [{}]}},
        {"mistyped": {}},
    ]
    right: list[dict[str, Any]] = [
        {},
        {"existingSecret": "", "secrets": MADE},
        {"existingSecret": "", "secrets": MADE | TOKEN, "metrics": {"enabled": True}},
        {"ingress": HTTPS, "settings": {"HTTPS": 1}},
        {"settings": {"DEBUG": 1, "REQUIRE_KEYS": 0}},
    ]
    for changes in wrong:
        assert errors(**changes), changes
    for changes in right:
        assert not errors(**changes), changes


def test_the_readme_describes_every_value() -> None:
    text = (CHART / "README.md").read_text()

    assert sorted(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)) == sorted(
        described(DEFAULTS)
    )


def test_its_version_is_the_applications() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == project["version"]
