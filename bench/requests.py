"""Requests of several kinds, as mixed.lua sends them: one a line, parts separated by tabs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """A request without headers; the body is sent as JSON, if there is any."""

    method: str
    path: str
    body: Mapping[str, str] = field(default_factory=dict)


def write_mixed(path: Path, requests: Sequence[Request]) -> None:
    """The file. JSON escapes tabs and line breaks, and paths have none."""
    path.write_text("\n".join(map(_line, requests)), encoding="utf-8")


def _line(request: Request) -> str:
    body = json.dumps(request.body, ensure_ascii=False) if request.body else ""
    return f"{request.method}\t{request.path}\t{body}"
