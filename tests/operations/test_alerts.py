"""Alert rules and dashboard use existing metrics, and each alert has instructions."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.live.servers import ROOT, eventually, manage, stack_url
from tests.operations.scrape import samples
from tests.programs import needed

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
TESTS = DEPLOY / "prometheus" / "alerts_test.yml"
METRIC = re.compile(r"\bchatsystem_[a-z_]+")


def rules() -> list[Any]:
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def scenarios() -> Any:
    return yaml.safe_load(TESTS.read_text())


def expressions(of: Any) -> list[str]:
    """All values of "expr" anywhere inside."""
    if isinstance(of, dict):
        found = [of["expr"]] if "expr" in of else []
        return found + [one for value in of.values() for one in expressions(value)]
    if isinstance(of, list):
        return [one for value in of for one in expressions(value)]
    return []


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())


def test_each_rule_is_whole() -> None:
    for rule in rules():
        assert re.fullmatch(r"Chatsystem[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in {"page", "warn"}
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.fullmatch(r"[0-9]+[sm]", rule.get("for", "0s"))


def promtool(*arguments: str) -> None:
    command = [needed("promtool", "prometheus"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.costly
def test_prometheus_takes_the_files(tmp_path: Path) -> None:
    folder = shutil.copytree(DEPLOY / "prometheus", tmp_path / "prometheus")
    configuration, token = folder / "prometheus.yml", tmp_path / "token"
    token.write_text("secret")
    text = configuration.read_text()
    configuration.write_text(text.replace("/etc/prometheus/chatsystem_token", str(token)))

    promtool("check", "config", str(configuration))
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


@pytest.mark.costly
def test_each_alert_fires_when_it_should_and_is_silent_when_not() -> None:
    cases = [case for one in scenarios()["tests"] for case in one.get("alert_rule_test", [])]
    for alert in (rule["alert"] for rule in rules()):
        expected = [case["exp_alerts"] for case in cases if case["alertname"] == alert]
        assert any(expected), alert
        assert not all(expected), alert

    promtool("test", "rules", str(TESTS))


def test_alerts_are_tested_as_often_as_they_are_looked_at() -> None:
    configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())

    assert scenarios()["evaluation_interval"] == configuration["global"]["evaluation_interval"]


def test_each_alert_has_instructions() -> None:
    sections = re.split(r"^### ", (ROOT / "docs" / "operations.md").read_text(), flags=re.MULTILINE)
    written = {title: text.strip() for title, _, text in (one.partition("\n") for one in sections)}
    alerts = [rule["alert"] for rule in rules()]

    assert len(set(alerts)) == len(alerts)
    for alert in alerts:
        assert len(written.get(alert, "")) > 100, alert
    assert {title for title in written if title.startswith("Chatsystem")} == set(alerts)


@pytest.mark.stack
@pytest.mark.parametrize("named", [rules, dashboard])
def test_every_metric_that_is_named_is_in_a_scrape(named: Any, tmp_path: Path) -> None:
    asked = expressions(named())
    wanted = {name for one in asked for name in METRIC.findall(one)}
    assert wanted
    assert all(METRIC.search(one) or one.startswith("up{") for one in asked)
    # A queue, a schedule and a count job that have done something.
    applications = f"{stack_url()}/api/v1/applications"
    token = httpx.post(applications, json={"name": "scraped"}).json()["token"]
    assert httpx.post(f"{applications}/{token}/chats", json={"name": "x"}).status_code == 201
    assert manage("reconcile_counts", environment=os.environ).returncode == 0

    def missing() -> set[str]:
        found = samples(httpx.get(f"{stack_url()}/metrics", timeout=5).text)
        return wanted - {name for name, _ in found}

    eventually(lambda: not missing(), 60, f"{wanted} in a scrape", every=1)
