"""Captures the log lines of this process as they are written."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import pytest

from infra.logs.formatting import formatter


@dataclass
class Log:
    """Lines of JSON, and the secrets that no line may contain."""

    stream: StringIO = field(default_factory=StringIO)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


SECRETS = ("a-planted-secret-key-that-nobody-guesses", "pass/word#planted")


@pytest.fixture
def log() -> Iterator[Log]:
    """All that is logged meanwhile, from DEBUG on, of libraries too."""
    log = Log()
    handler = logging.StreamHandler(log.stream)
    handler.setFormatter(formatter(as_json=True, secrets=SECRETS))
    root = logging.getLogger()
    ours = logging.getLogger("operations")
    before = root.level, ours.level
    root.addHandler(handler)
    root.setLevel("DEBUG")
    ours.setLevel("DEBUG")
    yield log
    root.removeHandler(handler)
    root.setLevel(before[0])
    ours.setLevel(before[1])
