"""What one stack is: the ports and passwords chosen for it, and what its last `up` asked for.

Chosen once and then remembered, so that data and clients fit from one `up` to the next.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from localstack.errors import StackError

DEFAULT_HEAP = "512m"


@dataclass(frozen=True)
class Options:
    """What the caller of `up` asked for."""

    port: int = 8000
    web: int = 2
    workers: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)
    elasticsearch_heap: str = DEFAULT_HEAP
    # Folders with colons between, whose executables come before the system's.
    path: str = ""


@dataclass(frozen=True)
class Ports:
    """All on 127.0.0.1; 0 as long as none is chosen."""

    mariadb: int = 0
    redis: int = 0
    rabbitmq: int = 0
    rabbitmq_distribution: int = 0
    rabbitmq_epmd: int = 0
    elasticsearch: int = 0
    elasticsearch_transport: int = 0
    web: int = 0


@dataclass(frozen=True)
class Secrets:
    """Generated, so that no password with a known value exists."""

    database: str = field(default_factory=lambda: secrets.token_hex(16))
    redis: str = field(default_factory=lambda: secrets.token_hex(16))
    broker: str = field(default_factory=lambda: secrets.token_hex(16))
    erlang_cookie: str = field(default_factory=lambda: secrets.token_hex(16))
    django: str = field(default_factory=lambda: secrets.token_urlsafe(48))


@dataclass(frozen=True)
class Settings:
    """Everything that is remembered between commands."""

    options: Options
    ports: Ports
    secrets: Secrets

    def save(self, path: Path) -> None:
        """Replace the file as a whole, readable by its owner only."""
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(self), stream, indent=1)
        draft.replace(path)


def load(path: Path) -> Settings | None:
    """What `save` wrote, or None before the first `up`."""
    try:
        content = json.loads(path.read_text())
        return Settings(
            options=Options(**content["options"]),
            ports=Ports(**content["ports"]),
            secrets=Secrets(**content["secrets"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(
            f"{path} is damaged ({error}): remove it with scripts/stack reset"
        ) from error


def load_existing(path: Path) -> Settings:
    """The same for commands that make no sense before the first `up`."""
    settings = load(path)
    if settings is None:
        raise StackError("there is no stack yet: run scripts/stack up")
    return settings
