"""The plan of one stack: the topology's parts with all `$name`s filled in.

topology.toml describes the parts, one table each; templates/ has their configuration files. Both
contain names of paths, ports, passwords and options, which `Plan.names` lists.
"""

import hashlib
import json
import os
import pwd
import re
import shutil
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from string import Template
from typing import Any, TypeVar, cast

from localstack.processes import StackError
from localstack.settings import Layout, Settings, is_root, write_private

FOLDER = Path(__file__).parent
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OLDEST_JAVA = 17
T = TypeVar("T")
ENVIRONMENT = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": "$run"}
APPLICATION_ENVIRONMENT = {
    "PATH": f"$bin:{SYSTEM_PATH}",
    "LANG": "C.UTF-8",
    "HOME": "$home",
    "PYTHONUNBUFFERED": "1",
    # Only the stack's processes count here; commands and tests count for themselves.
    "PROMETHEUS_MULTIPROC_DIR": "$state/run/metrics",
    "STACK_MIGRATIONS": "$migrations",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What can be started, stopped and broken by itself; topology.toml explains the fields."""

    name: str
    programs: dict[str, list[str]]
    copies: str = ""
    is_application: bool = False
    probe: list[str] = field(default_factory=list)
    alive_probe: list[str] = field(default_factory=list)
    ready_limit_s: int
    steady_after_s: int = 5
    stop_limit_s: int
    ports: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    own_settings: list[str] = field(default_factory=list)
    run: str = "$run"
    data: str = "$data"
    directory: str = "$run"
    environment: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    scratch: str = ""
    fill: list[str] = field(default_factory=list)
    runs_as: str = ""
    cannot_be_wiped: str = ""


TOPOLOGY = {
    name: Part(name=name, **table)
    for name, table in tomllib.loads((FOLDER / "topology.toml").read_text()).items()
}
APPLICATION = [part.name for part in TOPOLOGY.values() if part.is_application]
SERVICES = [part.name for part in TOPOLOGY.values() if not part.is_application]


@dataclass(frozen=True)
class Launch:
    """A program as the launcher starts it; its part has all names filled in."""

    part: Part
    name: str
    argv: list[str]
    environment: dict[str, str]
    files: dict[str, str]

    def revision(self) -> str:
        """A running program of another revision is out of date."""
        content = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def write(self, layout: Layout) -> None:
        """Make the folders and files, and leave all of this to the launcher."""
        part = self.part
        data = [] if part.fill else [part.data]
        folders = [part.run, *data, *part.folders, *map(os.path.dirname, self.files)]
        for folder in folders:
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, text in self.files.items():
            write_private(Path(path), text)
        if part.runs_as and is_root():
            for path in (*folders, *self.files):
                shutil.chown(path, part.runs_as, part.runs_as)
        write_private(layout.launch_file(self.name), json.dumps(asdict(self), indent=1))


class Names(dict[str, str]):
    """The values of the `$name`s; paths outside the stack are looked for when they are needed."""

    def __missing__(self, name: str) -> str:
        return LOOKUPS[name](Path(self["checkout"]))


@dataclass(frozen=True)
class Plan:
    """The parts of one stack with its layout and settings.

    The methods raise StackError when something that a part needs is not installed.
    """

    layout: Layout
    settings: Settings

    def names(self, part: str = "") -> Names:
        """The `$name`s of the stack; $run and $data are those of the part."""
        options, account = self.settings.options, pwd.getpwuid(os.geteuid())
        return Names(
            checkout=str(self.layout.checkout),
            bin=f"{self.layout.checkout}/.venv/bin",
            state=str(self.layout.state),
            run=str(self.layout.run / part),
            data=str(self.layout.data(part)),
            identity=self.layout.identity,
            system_path=SYSTEM_PATH,
            stack_path=f"{options.path}:" if options.path else "",
            user=account.pw_name,
            home=account.pw_dir,
            root_option="--user=root" if is_root() else "",
            web=str(options.web),
            elasticsearch_heap=options.elasticsearch_heap,
            elasticsearch_option=options.elasticsearch_option,
            number="$number",
            **{f"{name}_port": str(port) for name, port in self.settings.ports.items()},
            **{f"{name}_secret": secret for name, secret in self.settings.secrets.items()},
        )

    def part(self, name: str) -> Part:
        """The part with its names filled in."""
        return Part(**fill_in(asdict(TOPOLOGY[name]), self.names(name)))

    def application_settings(self) -> dict[str, str]:
        """The settings that `env` prints."""
        settings: dict[str, str] = {}
        for part in TOPOLOGY.values():
            settings |= fill_in(part.settings, self.names())
        return settings | dict(self.settings.options.extra)

    def environment(self, part: Part) -> dict[str, str]:
        """The whole environment of the part's processes; nothing of the caller's is in it."""
        if not part.is_application:
            return fill_in(ENVIRONMENT, self.names(part.name)) | part.environment
        base = fill_in(APPLICATION_ENVIRONMENT, self.names()) | part.environment
        own = {name for each in TOPOLOGY.values() for name in each.own_settings}
        others = own.difference(part.own_settings)
        settings = self.application_settings().items()
        return base | {name: value for name, value in settings if name not in others}

    def programs(self, part: Part) -> dict[str, list[str]]:
        """The command line of each program by its full name."""
        copies = getattr(self.settings.options, part.copies) if part.copies else 1
        return {
            fill_in(name, {"number": str(number)}): fill_in(argv, {"number": str(number)})
            for number in range(1, copies + 1)
            for name, argv in part.programs.items()
        }

    def launches(self, name: str) -> list[Launch]:
        """All programs of the part."""
        names, part = self.names(name), self.part(name)
        environment = self.environment(part)
        path = f"{names['stack_path']}{environment['PATH']}"
        templates = FOLDER / "templates" / name
        files = {
            f"{part.run}/{file.relative_to(templates)}": fill_in(file.read_text(), names)
            for file in sorted(templates.rglob("*"))
            if file.is_file()
        }
        if part.fill:
            part = replace(part, fill=[binary(part.fill[0], path), *part.fill[1:]])
        return [
            Launch(part, program, [binary(argv[0], path), *argv[1:]], environment, files)
            for program, argv in self.programs(part).items()
        ]


def fill_in(value: T, names: Mapping[str, str]) -> T:
    """Replace each `$name` in all strings; `$$` is a dollar sign. Raises KeyError for unknown ones.

    An item of a list that comes out empty is left out.
    """
    filled: Any = value
    if isinstance(value, str):
        filled = Template(value).substitute(names)
    elif isinstance(value, dict):
        filled = {key: fill_in(each, names) for key, each in value.items()}
    elif isinstance(value, list):
        filled = [text for each in value if (text := fill_in(each, names))]
    return cast("T", filled)


def binary(name: str, path: str = SYSTEM_PATH) -> str:
    """The full path of an executable.

    The caller's own PATH comes last: another terminal must not make a running program look out of
    date. Raises StackError when there is none.
    """
    found = shutil.which(name, path=f"{path}:{os.environ.get('PATH', '')}")
    if found is None:
        raise StackError(f"{name} is not installed: run scripts/provision")
    return found


def _migrations(checkout: Path) -> str:
    """Changes with the migrations, so that the application is started again after them."""
    patterns = ("*/migrations/*.py", "*/*/migrations/*.py")
    files = sorted(path for pattern in patterns for path in checkout.glob(pattern))
    seen = "".join(f"{path} {path.stat().st_mtime_ns}\n" for path in files)
    return hashlib.sha256(seen.encode()).hexdigest()


def _java(_checkout: Path) -> str:
    """A Java that is new enough, whichever the default is."""
    installed = sorted(map(str, Path("/usr/lib/jvm").glob("*/bin")), reverse=True)
    others = [f"{os.environ.get('JAVA_HOME')}/bin", *os.environ.get("PATH", "").split(":")]
    for folder in (*SYSTEM_PATH.split(":"), *installed, *others):
        with suppress(OSError):
            home = Path(folder, "java").resolve(strict=True).parents[1]
            release = (home / "release").read_text()
            version = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
            if version and int(version[1]) >= OLDEST_JAVA:
                return f"{folder}/java"
    raise StackError(f"no Java {OLDEST_JAVA} or newer is installed: run scripts/provision")


def _elasticsearch_home(checkout: Path) -> str:
    """The folder that scripts/provision filled."""
    version = (checkout / "scripts" / "elasticsearch" / "version").read_text().strip()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    for base in (Path("/opt/chatsystem"), Path(cache, "chatsystem")):
        if (home := base / f"elasticsearch-{version}").is_dir():
            return str(home)
    raise StackError(f"Elasticsearch {version} is not installed: run scripts/provision")


LOOKUPS = {"java": _java, "elasticsearch_home": _elasticsearch_home, "migrations": _migrations}
