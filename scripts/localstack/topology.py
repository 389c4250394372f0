"""The topologies: the parts of a stack, and how many nodes of each.

topologies/NAME.toml describes one as data; single.toml explains the fields. The table of a part
with a count stands for that many nodes, for example redis-1 to redis-6, each of which is a part.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TOPOLOGIES = FOLDER / "topologies"
DEFAULT = "single"
NAMES = sorted(path.stem for path in TOPOLOGIES.glob("*.toml"))
EXTENDS = "extends"


@dataclass(frozen=True, kw_only=True)
class Part:
    """What can be started, stopped and broken by itself; single.toml explains the fields.

    `kind` is the name of its table. `index` counts the nodes of a table from 1; it is 0 where the
    table has no count.
    """

    name: str
    kind: str
    index: int = 0
    programs: dict[str, list[str]]
    copies: str = ""
    is_application: bool = False
    probe: list[str] = field(default_factory=list)
    alive_probe: list[str] = field(default_factory=list)
    ready_limit_s: int
    steady_after_s: int = 5
    stop_limit_s: int
    ports: list[str] = field(default_factory=list)
    shared_ports: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    own_settings: list[str] = field(default_factory=list)
    lists: dict[str, list[str]] = field(default_factory=dict)
    before_all: list[str] = field(default_factory=list)
    after_all: list[str] = field(default_factory=list)
    run: str = "$run"
    data: str = "$data"
    directory: str = "$run"
    environment: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    scratch: str = ""
    fill: list[str] = field(default_factory=list)
    runs_as: str = ""
    cannot_be_wiped: str = ""

    def port_keys(self) -> dict[str, str]:
        """The names of its ports, each with the key of its number in the stack's settings."""
        own = {name: f"{name}_{self.index}" if self.index else name for name in self.ports}
        return own | {name: name for name in self.shared_ports}


@dataclass(frozen=True)
class Topology:
    """The parts by name, services first; the other fields are those of the file's head."""

    name: str
    front: str
    elasticsearch_heap: str
    has_network: bool
    parts: Mapping[str, Part]

    @property
    def services(self) -> list[str]:
        """The names of the parts that are not of the application."""
        return [part.name for part in self.parts.values() if not part.is_application]

    @property
    def application(self) -> list[str]:
        """The names of the parts of the application."""
        return [part.name for part in self.parts.values() if part.is_application]

    def kinds(self) -> dict[str, list[Part]]:
        """The nodes of each table."""
        kinds: dict[str, list[Part]] = {}
        for part in self.parts.values():
            kinds.setdefault(part.kind, []).append(part)
        return kinds

    def templates(self, kind: str) -> dict[str, str]:
        """The text of each configuration file by its name.

        The topology's own folder adds files, and adds lines to files of the same name.
        """
        texts: dict[str, str] = {}
        for folder in (FOLDER / "templates" / kind, TOPOLOGIES / self.name / kind):
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                name = str(file.relative_to(folder))
                texts[name] = texts.get(name, "") + file.read_text()
        return texts


@cache
def load_topology(name: str) -> Topology:
    """Read the topology of this name."""
    content = _read(name)
    head = {key: value for key, value in content.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    parts = [part for kind, table in tables.items() for part in _nodes(kind, table)]
    parts.sort(key=lambda part: part.is_application)
    return Topology(name=name, **head, parts={part.name: part for part in parts})


def _read(name: str) -> dict[str, Any]:
    content = tomllib.loads((TOPOLOGIES / f"{name}.toml").read_text())
    base = content.pop(EXTENDS, None)
    return _merged(_read(base), content) if base else content


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base with the changes; tables are merged, other values replaced."""
    merged = {**base}
    for key, value in changes.items():
        is_table = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merged(base[key], value) if is_table else value
    return merged


def _nodes(kind: str, table: Mapping[str, Any]) -> Iterator[Part]:
    fields = {key: value for key, value in table.items() if key != "count"}
    if "count" not in table:
        yield Part(name=kind, kind=kind, **fields)
    for index in range(1, table.get("count", 0) + 1):
        yield Part(name=f"{kind}-{index}", kind=kind, index=index, **fields)
