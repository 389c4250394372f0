"""The API's description (OpenAPI), with its references followed."""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Self

import yaml

Json = dict[str, Any]


class Incomplete(Exception):
    """What a collection is made of does not suffice; the message says what is missing."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    about: Json

    @property
    def tag(self) -> str:
        """The group that it belongs to."""
        tag: str = self.about["tags"][0]
        return tag

    @property
    def success(self) -> int:
        """The status of an answer without a condition that went well."""
        return min(map(int, self.about["responses"]))

    @property
    def example(self) -> Json | None:
        """A request's content, or None where it has none. Raises Incomplete."""
        if "requestBody" not in self.about:
            return None
        examples = self.about["requestBody"]["content"]["application/json"].get("examples")
        if not examples:
            raise Incomplete(f"{self.about['operationId']} has no example of a request")
        example: Json = next(iter(examples.values()))["value"]
        return example

    @property
    def for_operators(self) -> bool:
        """Whether the key of an application is not enough: nothing else is a 403."""
        return "403" in self.about["responses"]


@dataclass(frozen=True)
class Description:
    """What is said of the whole, and the operations by their id."""

    info: Json
    tags: list[Json]
    operations: dict[str, Operation]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises OSError, yaml.YAMLError, KeyError where it is no description of this project."""
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        operations = {
            about["operationId"]: Operation(method.upper(), path, _followed(about, document))
            for path, methods in document["paths"].items()
            for method, about in methods.items()
        }
        return cls(document["info"], document["tags"], operations)


def _followed(part: Any, document: Json) -> Any:
    """The part, with what a reference names in the reference's place."""
    if isinstance(part, list):
        return [_followed(one, document) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        names = part["$ref"].removeprefix("#/").split("/")
        return _followed(reduce(lambda inner, name: inner[name], names, document), document)
    return {name: _followed(one, document) for name, one in part.items()}
