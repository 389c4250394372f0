"""The API's description (OpenAPI), with its references followed."""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Self

import yaml

Json = dict[str, Any]


class Incomplete(Exception):
    """The description or the walk lacks something; the message says what."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    about: Json

    @property
    def tag(self) -> str:
        """The group of the operation."""
        tag: str = self.about["tags"][0]
        return tag

    @property
    def success(self) -> int:
        """The status of a success; a conditional answer such as 304 is none."""
        return min(map(int, self.about["responses"]))

    @property
    def example(self) -> Json | None:
        """The body of a request, or None for a request without one. Raises Incomplete."""
        if "requestBody" not in self.about:
            return None
        examples = self.about["requestBody"]["content"]["application/json"].get("examples")
        if not examples:
            raise Incomplete(f"{self.about['operationId']} has no example of a request")
        example: Json = next(iter(examples.values()))["value"]
        return example

    @property
    def for_operators(self) -> bool:
        """Whether it needs an operator's key: only that is answered with 403."""
        return "403" in self.about["responses"]


@dataclass(frozen=True)
class Description:
    """The API as a whole, and its operations by id."""

    info: Json
    tags: list[Json]
    operations: dict[str, Operation]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file. Raises OSError, yaml.YAMLError or KeyError for any other content."""
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        operations = {
            about["operationId"]: Operation(method.upper(), path, _followed(about, document))
            for path, methods in document["paths"].items()
            for method, about in methods.items()
        }
        return cls(document["info"], document["tags"], operations)


def _followed(part: Any, document: Json, within: frozenset[str] = frozenset()) -> Any:
    """The part with each reference replaced by its target; one within itself stays."""
    if isinstance(part, list):
        return [_followed(one, document, within) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        reference = part["$ref"]
        if reference in within:
            return part
        names = reference.removeprefix("#/").split("/")
        target = reduce(lambda inner, name: inner[name], names, document)
        return _followed(target, document, within | {reference})
    return {name: _followed(one, document, within) for name, one in part.items()}
