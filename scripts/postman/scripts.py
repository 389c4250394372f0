"""What Postman runs around a request: tests of the answer, and what is kept of it for the next.

The tests ask for the status, headers, media type and shape that the description promises.
"""

import json
from collections.abc import Iterator

from postman.description import Json, Operation
from postman.walk import Step


def events(step: Step, operation: Operation) -> list[Json]:
    """The scripts of a step."""
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
        yield _test("it shows what was sent", f"pm.expect(body).to.include({fields})")


def _linked(response: Json) -> dict[str, str]:
    """Parameters of the operations that an answer leads to, as expressions."""
    return {
        name: value.replace("$response.body#/", "body.")
        for link in response.get("links", {}).values()
        for name, value in link["parameters"].items()
    }


def _test(name: str, assertion: str) -> str:
    return f"pm.test({json.dumps(name)}, () => {assertion});"
