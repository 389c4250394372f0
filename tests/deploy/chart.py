"""The files of the chart, read without Helm."""

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "deploy" / "helm" / "chatsystem"
VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))

#: The properties of the image, and the default values.
APPLICATION: dict[str, Any] = yaml.safe_load((CHART / "application.yaml").read_text())
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
#: The names of all settings in the Secret.
SECRETS = {*APPLICATION["secrets"]["required"], *APPLICATION["secrets"]["optional"]}
#: Settings that differ from docker-compose.yml: all clients have the address of the Ingress.
ONE_ADDRESS = {
    "WEB_CONNECTIONS_PER_ADDRESS": "WEB_CONNECTIONS",
    "WEB_STREAMS_PER_ADDRESS": "WEB_STREAMS",
}


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The values with these changes, as Helm merges them."""
    result = {**values}
    for name, change in changes.items():
        both = isinstance(change, dict) and isinstance(values.get(name), dict)
        result[name] = merged(values[name], change) if both else change
    return result


def with_file(file: Path) -> dict[str, Any]:
    """The default values with those of a file."""
    return merged(DEFAULTS, yaml.safe_load(file.read_text()) or {})


def errors(**changes: Any) -> list[str]:
    """The errors that the schema finds in the default values with these changes."""
    found = Draft7Validator(SCHEMA).iter_errors(merged(DEFAULTS, changes))
    return [f"{error.json_path}: {error.message}" for error in found]
