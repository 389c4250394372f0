"""The collection: folders, variables, authentication, and each request with its tests.

The tests check the status, headers, media type and shape that the description promises.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from postman.description import Description, Incomplete, Json, Operation
from postman.walk import Step

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
VARIABLES = {
    "baseUrl": ("http://127.0.0.1:8000", "Where the API is served."),
    "operatorKey": ("", "Creates applications, where keys are required."),
    "key": ("", "The application's key. An answer shows it once; it is kept here."),
}
HOW_TO = (
    "Run the whole collection, or send its requests from the top: variables keep what an answer "
    "gives for the requests that follow."
)


def collection(description: Description, walk: Sequence[Step]) -> Json:
    """A collection in Postman's format 2.1. Raises Incomplete when something is missing."""
    differing = {step.operation for step in walk} ^ set(description.operations)
    if differing:
        raise Incomplete(f"only one of walk.py and the description has {sorted(differing)}")
    steps = [(step, description.operations[step.operation]) for step in walk]
    about = {tag["name"]: tag["description"] for tag in description.tags}
    return {
        "info": {
            "name": description.info["title"],
            "description": f"{description.info['description']}\n\n{HOW_TO}",
            "version": description.info["version"],
            "schema": SCHEMA,
        },
        "auth": _bearer("key"),
        "variable": [
            {"key": name, "value": value, "description": text}
            for name, (value, text) in VARIABLES.items()
        ],
        "item": [
            {"name": tag, "description": about[tag], "item": [_item(*one) for one in group]}
            for tag, group in groupby(steps, lambda one: one[1].tag)
        ],
    }


def _item(step: Step, operation: Operation) -> Json:
    summary = operation.about["summary"]
    return {
        "name": f"{summary}: {step.what}" if step.what else summary,
        "request": _request(step, operation),
        "event": _events(step, operation),
    }


def _request(step: Step, operation: Operation) -> Json:
    content = operation.example
    made: Json = {
        "method": operation.method,
        "description": operation.about["description"],
        "header": _parameters(step, operation, "header"),
        "url": step.url or _url(step, operation),
    }
    if operation.for_operators:
        made["auth"] = _bearer("operatorKey")
    if content is not None:
        made["header"].append({"key": "Content-Type", "value": "application/json"})
        raw = json.dumps(content, ensure_ascii=False, indent=2)
        made["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    return made


def _bearer(variable: str) -> Json:
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
    """The parameters of this place. Those that the step does not give are there, switched off."""
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
    """The description's example, or its default, or nothing."""
    examples = parameter.get("examples")
    value: Any = next(iter(examples.values()))["value"] if examples else None
    return str(value if examples else parameter["schema"].get("default", ""))


def _events(step: Step, operation: Operation) -> list[Json]:
    scripts = {"prerequest": step.before, "test": "\n".join(_tests(step, operation))}
    return [
        {"listen": when, "script": {"type": "text/javascript", "exec": script.split("\n")}}
        for when, script in scripts.items()
        if script
    ]


def _tests(step: Step, operation: Operation) -> Iterator[str]:
    status = step.status or operation.success
    response = operation.about["responses"][str(status)]
    yield _test(f"the status is {status}", f"pm.response.to.have.status({status})")
    for name, header in response.get("headers", {}).items():
        if header.get("required", False):
            yield _test(f"there is the header {name}", f'pm.response.to.have.header("{name}")')
    yield from _of_content(response.get("content"), operation.example)
    for name, assertion in step.holds.items():
        yield _test(name, assertion)
    for name, value in {**_linked(response), **step.keeps}.items():
        yield f'pm.collectionVariables.set("{name}", {value});'


def _of_content(content: Json | None, sent: Json | None) -> Iterator[str]:
    if content is None:
        yield _test("there is no body", 'pm.expect(pm.response.text()).to.equal("")')
        return
    [(media_type, about)] = content.items()
    got = 'pm.response.headers.get("Content-Type")'
    yield _test(f"it is {media_type}", f'pm.expect({got}).to.equal("{media_type}")')
    shape = json.dumps(about["schema"], ensure_ascii=False, indent=2)
    yield _test("it has the described shape", f"pm.response.to.have.jsonSchema({shape})")
    yield "const body = pm.response.json();"
    if sent and sent.keys() <= about["schema"]["properties"].keys():
        fields = json.dumps(sent, ensure_ascii=False)
        yield _test("it shows what was sent", f"pm.expect(body).to.deep.include({fields})")


def _linked(response: Json) -> dict[str, str]:
    """Parameters of the operations that the description links to the answer, as expressions."""
    return {
        name: value.replace("$response.body#/", "body.")
        for link in response.get("links", {}).values()
        for name, value in link["parameters"].items()
    }


def _test(name: str, assertion: str) -> str:
    return f"pm.test({json.dumps(name)}, () => {assertion});"
