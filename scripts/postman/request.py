"""One request as Postman sends it. Parameters that a step does not give are there, switched off."""

import json
import re
from typing import Any

from postman.description import Json, Operation
from postman.walk import Step


def request(step: Step, operation: Operation) -> Json:
    """The request of a step."""
    content = operation.example
    made: Json = {
        "method": operation.method,
        "description": operation.about["description"],
        "header": _parameters(step, operation, "header"),
        "url": step.url or _url(step, operation),
    }
    if operation.for_operators:
        made["auth"] = bearer("operatorKey")
    if content is not None:
        made["header"].append({"key": "Content-Type", "value": "application/json"})
        raw = json.dumps(content, ensure_ascii=False, indent=2)
        made["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    return made


def bearer(variable: str) -> Json:
    """The key in this variable."""
    value = f"{{{{{variable}}}}}"
    return {"type": "bearer", "bearer": [{"key": "token", "value": value, "type": "string"}]}


def _url(step: Step, operation: Operation) -> Json:
    path = re.sub(r"\{(\w+)\}", r":\1", operation.path)
    query = _parameters(step, operation, "query")
    sent = "&".join(f"{one['key']}={one['value']}" for one in query if not one["disabled"])
    return {
        "raw": f"{{{{baseUrl}}}}{path}" + (f"?{sent}" if sent else ""),
        "host": ["{{baseUrl}}"],
        "path": path.removeprefix("/").split("/"),
        "query": query,
        "variable": [
            {"key": name, "value": step.given.get(name, f"{{{{{name}}}}}")}
            for name in re.findall(r"\{(\w+)\}", operation.path)
        ],
    }


def _parameters(step: Step, operation: Operation, place: str) -> list[Json]:
    return [
        {
            "key": parameter["name"],
            "value": step.given.get(parameter["name"], _example(parameter)),
            "description": parameter["description"],
            "disabled": not (parameter["name"] in step.given or parameter.get("required", False)),
        }
        for parameter in operation.about["parameters"]
        if parameter["in"] == place
    ]


def _example(parameter: Json) -> str:
    """A value to begin with: the example of the description, its default, or none."""
    examples = parameter.get("examples")
    value: Any = next(iter(examples.values()))["value"] if examples else None
    return str(value if examples else parameter["schema"].get("default", ""))
