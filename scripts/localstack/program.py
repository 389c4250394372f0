"""A program that supervisord keeps running, described as data.

The description is complete: the launcher needs nothing else to start the program, and its revision
tells whether a running one still is what is wanted.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from localstack.layout import Layout
from localstack.parts import Part

LAUNCHED_WITH = frozenset(
    {"argv", "directory", "environment", "user", "initialisation", "needs_port", "scratch"}
)


@dataclass(frozen=True)
class Initialisation:
    """A command that fills a data folder once; it finds a folder of another name, renamed after."""

    folder: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """One process of a part, and whatever it starts."""

    name: str
    part: Part
    argv: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    # Emptied at each start, for what a program forgets to remove.
    scratch: str | None = None
    user: str | None = None
    initialisation: Initialisation | None = None
    needs_port: int | None = None
    # Names in the environment that don't make a running program out of date.
    immaterial: frozenset[str] = frozenset()

    @property
    def full_name(self) -> str:
        """As supervisord calls it."""
        return f"{self.part}:{self.name}"

    @property
    def revision(self) -> str:
        """Another one means that the program must be started anew."""
        description = asdict(self) | {
            "immaterial": None,
            "environment": {
                name: value
                for name, value in self.environment.items()
                if name not in self.immaterial
            },
        }
        return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]

    def write(self, layout: Layout) -> None:
        """Make folders and configuration files, and leave the launcher its specification."""
        for folder in self.folders:
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._hand_over(folder)
        for name, text in self.files.items():
            _write_private(Path(name), text)
            self._hand_over(name)
        specification = {key: value for key, value in asdict(self).items() if key in LAUNCHED_WITH}
        _write_private(layout.specification(self.name), json.dumps(specification, indent=1))

    def _hand_over(self, path: str) -> None:
        if self.user is not None:
            shutil.chown(path, user=self.user, group=self.user)


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
