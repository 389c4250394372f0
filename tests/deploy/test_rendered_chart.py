"""Helm renders the chart into valid objects that run the application as docker-compose.yml does.

`make check-chart` builds Helm; without Helm these tests are skipped.
"""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.http.request import split_domain_port, validate_host

from tests.deploy.chart import APPLICATION, CHART, ROOT, SECRETS, VALUES, with_file
from tests.docs.test_containers import SETTINGS

pytestmark = pytest.mark.costly

Objects = list[dict[str, Any]]
#: The oldest version of Kubernetes that the chart supports, and the newest with schemas.
VERSIONS = ("1.27", "1.37")
#: Kinds without a schema in Kubernetes: an operator brings them.
FOREIGN = {"ServiceMonitor"}
DEFAULTS, EVERYTHING, EXISTING = VALUES
WORKERS = {*APPLICATION["commands"]["workers"]}
COMPONENTS = WORKERS | {"web", "beat", "migrate"}


@cache
def helm_program() -> str:
    found = subprocess.run(
        [ROOT / "scripts" / "helm", "--where"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or pytest.skip("Helm was not built: make check-chart builds it")


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [helm_program(), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@cache
def rendered(file: Path, name: str = "chat") -> Objects:
    """The objects that the chart makes of these values."""
    made = helm("template", name, CHART, "--values", file, "--namespace", "chats")
    assert made.returncode == 0, made.stderr
    return [one for one in yaml.safe_load_all(made.stdout) if one]


def of_kind(objects: Objects, kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by their names without the prefix."""
    return {
        one["metadata"]["name"].removeprefix("chat-chatsystem-"): one
        for one in objects
        if one["kind"] == kind
    }


def pods(objects: Objects) -> dict[str, dict[str, Any]]:
    """The templates of the pods, by their components."""
    owners = {**of_kind(objects, "Deployment"), **of_kind(objects, "Job")}
    return {name: owner["spec"]["template"] for name, owner in owners.items()}


def containers(objects: Objects) -> list[dict[str, Any]]:
    return [one for pod in pods(objects).values() for one in pod["spec"]["containers"]]


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def selected(objects: Objects, labels: dict[str, str]) -> set[str]:
    """The components whose pods have these labels."""
    return {
        name
        for name, pod in pods(objects).items()
        if labels.items() <= pod["metadata"]["labels"].items()
    }


def test_helm_lints_the_chart() -> None:
    for file in VALUES:
        linted = helm("lint", "--strict", CHART, "--values", file)
        assert linted.returncode == 0, linted.stdout + linted.stderr


def test_every_object_is_valid_and_has_a_name_of_its_own() -> None:
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is missing: make .venv/dev installs it"
    )
    for file in VALUES:
        objects = rendered(file)
        for one in objects:
            for version in VERSIONS if one["kind"] not in FOREIGN else ():
                kubernetes_validate.validate(one, version, strict=True)
        names = [(one["kind"], one["metadata"]["name"]) for one in objects]
        assert len({*names}) == len(names), file
    long = [one["metadata"]["name"] for one in rendered(EVERYTHING, "a" * 53)]
    assert max(map(len, long)) <= 63


def test_each_component_runs_the_command_of_compose() -> None:
    commands = APPLICATION["commands"]
    wanted = {**commands, **commands["workers"]}
    for file in VALUES:
        for name, pod in pods(rendered(file)).items():
            assert " ".join(pod["spec"]["containers"][0]["command"]) == wanted[name]
        assert pods(rendered(file)).keys() == COMPONENTS


def test_each_container_has_every_setting() -> None:
    for file in VALUES:
        values = with_file(file)
        hosts = values["settings"]["ALLOWED_HOSTS"].split(",") + values["ingress"]["hosts"]
        inside = ["chat-chatsystem-web", "chat-chatsystem-web.chats.svc"]
        for container in containers(rendered(file)):
            # Kubernetes fills in names that come earlier in the list.
            assert container["env"][0]["name"] == "POD_IP"
            given = environment(container)
            assert given.keys() == SETTINGS | {"POD_IP"}
            wanted = {**values["settings"], **APPLICATION["environment"]}
            allowed = [*hosts, *inside, "$(POD_IP)", "[$(POD_IP)]"]
            wanted["ALLOWED_HOSTS"] = ",".join(allowed)
            if container["name"] == "metrics":
                wanted["WEB_CONCURRENCY"] = 1
            assert given.items() >= {name: str(value) for name, value in wanted.items()}.items()
            assert all(given[name]["secretKeyRef"]["key"] == name for name in SECRETS)


def test_probes_may_name_the_address_of_their_pod() -> None:
    [container, *_] = containers(rendered(DEFAULTS))
    for address, host in (("10.0.0.7", "10.0.0.7:8000"), ("fd00::7", "[fd00::7]:8000")):
        allowed = environment(container)["ALLOWED_HOSTS"].replace("$(POD_IP)", address)
        assert validate_host(split_domain_port(host)[0], allowed.split(","))


def test_no_pod_can_do_more_than_it_needs() -> None:
    user = APPLICATION["user"]
    folders = {"/tmp", APPLICATION["environment"]["PROMETHEUS_MULTIPROC_DIR"]}  # noqa: S108 - of the container
    for pod in [pod for file in VALUES for pod in pods(rendered(file)).values()]:
        spec = pod["spec"]
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert spec["automountServiceAccountToken"] is False
        assert all("emptyDir" in volume for volume in spec["volumes"])
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert {mount["mountPath"] for mount in container["volumeMounts"]} == folders


def test_secrets_are_only_in_secrets_that_exist_before_their_pods() -> None:
    for file in VALUES:
        objects = rendered(file)
        values = with_file(file)
        made = of_kind(objects, "Secret")
        others = yaml.dump([one for one in objects if one["kind"] != "Secret"])
        assert not any(value in others for value in values["secrets"].values())
        assert made.keys() == ({"settings", "migrate"} if values["secrets"] else set())
        assert all(secret["stringData"] == values["secrets"] for secret in made.values())
        for name, pod in pods(objects).items():
            own = f"chat-chatsystem-{'migrate' if name == 'migrate' else 'settings'}"
            for container in pod["spec"]["containers"]:
                read = {environment(container)[each]["secretKeyRef"]["name"] for each in SECRETS}
                assert read == {values["existingSecret"] or own}, name
            # A changed Secret of the chart makes new pods.
            annotations = pod["metadata"].get("annotations", {})
            assert ("checksum/secrets" in annotations) is bool(values["secrets"])


def test_migrations_run_before_everything_else() -> None:
    for file in VALUES:
        hooks = {
            one["kind"]: one["metadata"]["annotations"]
            for one in rendered(file)
            if "helm.sh/hook" in one["metadata"].get("annotations", {})
        }
        assert hooks["Job"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        if "Secret" in hooks:
            assert hooks["Secret"]["helm.sh/hook"] == hooks["Job"]["helm.sh/hook"]
            assert int(hooks["Secret"]["helm.sh/hook-weight"]) < 0


def test_there_is_one_beat_and_never_no_web_server() -> None:
    for file in VALUES:
        objects = rendered(file)
        values = with_file(file)["web"]
        deployments = of_kind(objects, "Deployment")
        beat, web = deployments["beat"]["spec"], deployments["web"]["spec"]
        scalers = of_kind(objects, "HorizontalPodAutoscaler")
        [budget] = of_kind(objects, "PodDisruptionBudget").values()

        assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})
        assert web["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert budget["spec"]["maxUnavailable"] == values["maxUnavailable"]
        # The autoscaler or the Deployment sets the number of pods, never both.
        assert bool(scalers) is values["autoscaling"]["enabled"]
        assert web.get("replicas") == (None if scalers else values["replicas"])
        for scaler in scalers.values():
            assert scaler["spec"]["scaleTargetRef"]["name"] == "chat-chatsystem-web"


def test_only_web_servers_have_probes_and_every_pod_has_time_to_end() -> None:
    routes = APPLICATION["routes"]
    for file in VALUES:
        drain = with_file(file)["web"]["drainSeconds"]
        for name, pod in pods(rendered(file)).items():
            container = pod["spec"]["containers"][0]
            probes = {
                key: one["httpGet"]["path"]
                for key, one in container.items()
                if key.endswith("Probe")
            }
            stop = APPLICATION["stopSeconds"]
            if name == "web":
                assert probes == {
                    "startupProbe": routes["live"],
                    "livenessProbe": routes["live"],
                    "readinessProbe": routes["ready"],
                }
                assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", str(drain)]
                stop += drain
            else:
                assert not probes, name
            assert pod["spec"]["terminationGracePeriodSeconds"] == stop, name


def test_everything_selects_its_own_pods() -> None:
    for file in VALUES:
        objects = rendered(file)
        for one in objects:
            name = one["metadata"]["name"].removeprefix("chat-chatsystem-")
            spec = one.get("spec", {})
            everybody = COMPONENTS if name in {"metrics", "engines"} else {name}
            match one["kind"]:
                case "Deployment" | "PodDisruptionBudget":
                    assert selected(objects, spec["selector"]["matchLabels"]) == {name}
                case "Service":
                    assert selected(objects, spec["selector"]) == everybody
                case "NetworkPolicy":
                    assert selected(objects, spec["podSelector"]["matchLabels"]) == everybody
        for name, pod in pods(objects).items():
            spread = pod["spec"]["topologySpreadConstraints"]
            assert [one["topologyKey"].rpartition("/")[2] for one in spread] == ["hostname", "zone"]
            for one in spread:
                assert selected(objects, one["labelSelector"]["matchLabels"]) == {name}


def test_objects_that_are_switched_off_are_left_out() -> None:
    kinds = {one["kind"] for one in rendered(EXISTING)}

    assert not kinds & {"HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "Secret"}
    assert not of_kind(rendered(DEFAULTS), "ServiceMonitor")


def test_the_ingress_leads_to_the_web_servers_and_does_not_buffer_streams() -> None:
    [ingress] = of_kind(rendered(EVERYTHING), "Ingress").values()
    annotations = ingress["metadata"]["annotations"]
    hosts = ["chat.example", "chat.example.org"]

    assert [rule["host"] for rule in ingress["spec"]["rules"]] == hosts
    assert ingress["spec"]["tls"] == [{"secretName": "chat-example", "hosts": hosts}]
    for rule in ingress["spec"]["rules"]:
        [path] = rule["http"]["paths"]
        assert path["backend"]["service"]["name"] == "chat-chatsystem-web"
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 75
    assert "haproxy.org/timeout-server" not in annotations  # removed by null
    assert annotations["example.org/team"] == "chat"


def test_prometheus_reads_the_web_servers_and_the_workers() -> None:
    objects = rendered(EVERYTHING)
    monitor = of_kind(objects, "ServiceMonitor")["metrics"]
    services = of_kind(objects, "Service")
    [endpoint] = monitor["spec"]["endpoints"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()

    assert {
        name for name, one in services.items() if wanted <= one["metadata"]["labels"].items()
    } == {"metrics"}
    assert endpoint["port"] == services["metrics"]["spec"]["ports"][0]["name"]
    assert endpoint["path"] == APPLICATION["routes"]["metrics"]
    assert endpoint["authorization"]["credentials"] == {
        "name": "chat-chatsystem-settings",
        "key": "METRICS_TOKEN",
    }
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    # The alerts are about this job.
    assert services["metrics"]["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "chatsystem"
    assert {
        name
        for name, pod in pods(objects).items()
        if any("ports" in container for container in pod["spec"]["containers"])
    } == {"web", *WORKERS}


def test_only_webhooks_reach_the_internet() -> None:
    policies = of_kind(rendered(EVERYTHING), "NetworkPolicy")
    outside = {
        name: [
            peer["ipBlock"]["cidr"]
            for rule in policy["spec"]["egress"]
            for peer in rule.get("to", [])
        ]
        for name, policy in policies.items()
        if "egress" in policy["spec"]
    }
    allowed = ["10.1.0.0/16", "192.0.2.7/32", "fd00::7/128"]

    assert outside == {
        "engines": ["10.2.0.0/16"],
        "webhooks": ["0.0.0.0/0", "2000::/3", *allowed],
    }


def test_helm_refuses_values_that_cannot_work() -> None:
    for setting, why in (
        ("web.replicas=0", "replicas"),
        ("web.autoscaling.minReplicas=11", "above maxReplicas"),
        ("settings.DATABASE_URL=mysql://x/y", "DATABASE_URL"),
        ("existingSecret=", "SECRET_KEY"),
    ):
        refused = helm("template", "chat", CHART, "--set", setting)
        assert refused.returncode, setting
        assert why in refused.stderr, setting


def test_the_notes_show_how_to_make_the_first_key() -> None:
    for file, address in ((EVERYTHING, "https://chat.example/api/v1/"), (DEFAULTS, "port-forward")):
        shown = helm("install", "chat", CHART, "--values", file, "--dry-run=client")
        assert shown.returncode == 0, shown.stderr
        assert "operator_key" in shown.stdout
        assert address in shown.stdout
