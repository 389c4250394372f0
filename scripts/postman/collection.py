"""The collection: folders, its variables and how it authenticates."""

from collections.abc import Sequence
from itertools import groupby

from postman.description import Description, Incomplete, Json, Operation
from postman.request import bearer, request
from postman.scripts import events
from postman.walk import Step

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
VARIABLES = {
    "baseUrl": ("http://127.0.0.1:8000", "Where the API is served."),
    "operatorKey": ("", "Creates applications, where keys are required."),
    "key": ("", "The application's; an answer shows it once, and it is kept here."),
}
HOW_TO = (
    "Run the whole collection, or send its requests from the top: what an answer gives is kept in "
    "variables for those that follow."
)


def collection(description: Description, walk: Sequence[Step]) -> Json:
    """A collection of Postman's format 2.1. Raises Incomplete."""
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
        "auth": bearer("key"),
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
        "request": request(step, operation),
        "event": events(step, operation),
    }
