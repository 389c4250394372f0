"""The plan of one stack: the topology's parts with all `$name`s filled in.

The topology's file describes the parts, one table each; templates/ has their configuration files.
Both contain names of paths, addresses, ports, passwords and options, which `Plan.names` lists.
"""

import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any, TypeVar, cast

from localstack.network import Network, inner_host
from localstack.processes import StackError
from localstack.settings import Layout, Settings, is_root, write_private
from localstack.topology import Part, Topology, load_topology

LOOPBACK = "127.0.0.1"
FIRST_HOST = 2  # the first number is this machine's own
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


@dataclass(frozen=True)
class Launch:
    """A program as the launcher starts it; its part has all names filled in.

    It runs in the network namespace of this name, if there is one.
    """

    part: Part
    name: str
    argv: list[str]
    environment: dict[str, str]
    files: dict[str, str]
    namespace: str

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

    @cached_property
    def topology(self) -> Topology:
        """What the last `up` chose."""
        return load_topology(self.settings.options.topology)

    @cached_property
    def hosts(self) -> dict[str, str]:
        """The address of each part."""
        network = self.settings.network
        return {
            name: f"{network}.{number}" if network else LOOPBACK
            for number, name in enumerate(self.topology.parts, FIRST_HOST)
        }

    def address(self, part: Part, port: str) -> tuple[str, int]:
        """Where the part listens on its port of this name."""
        return self.hosts[part.name], self.settings.ports[part.port_keys()[port]]

    def front(self) -> str:
        """The address of the application for clients."""
        parts = self.topology.parts.values()
        [part] = [part for part in parts if self.topology.front in part.ports]
        host, port = self.address(part, self.topology.front)
        return f"http://{host}:{port}"

    def names(self, part: str = "") -> Names:
        """The `$name`s of the stack; some are those of the part, for example $run and $data."""
        return Names(self._stack_names | self._lists | self._own_names(part))

    @cached_property
    def _stack_names(self) -> dict[str, str]:
        options, account = self.settings.options, pwd.getpwuid(os.geteuid())
        network = self.settings.network
        return {
            "checkout": str(self.layout.checkout),
            "bin": f"{self.layout.checkout}/.venv/bin",
            "state": str(self.layout.state),
            "identity": self.layout.identity,
            "system_path": SYSTEM_PATH,
            "stack_path": f"{options.path}:" if options.path else "",
            "user": account.pw_name,
            "home": account.pw_dir,
            "root_option": "--user=root" if is_root() else "",
            "web": str(options.web),
            "elasticsearch_heap": options.elasticsearch_heap,
            "elasticsearch_option": options.elasticsearch_option,
            "network": f"{network}.0/24" if network else LOOPBACK,
            "clients": f"{network}.%" if network else LOOPBACK,  # as MariaDB writes it
            "number": "$number",
            **{f"{name.replace('-', '_')}_host": host for name, host in self.hosts.items()},
            **{f"{name}_port": str(port) for name, port in self.settings.ports.items()},
            **{f"{name}_secret": secret for name, secret in self.settings.secrets.items()},
        }

    @cached_property
    def _lists(self) -> dict[str, str]:
        return {
            name: separator.join(
                fill_in(text, self._stack_names | self._own_names(node.name)) for node in nodes
            )
            for nodes in self.topology.kinds().values()
            for name, (text, separator) in nodes[0].lists.items()
        }

    def _own_names(self, name: str) -> dict[str, str]:
        folders = {"run": str(self.layout.run / name), "data": str(self.layout.data(name))}
        if not name:
            return folders
        part, host = self.topology.parts[name], self.hosts[name]
        return {
            **folders,
            "node": name,
            "index": str(part.index),
            "suffix": name.removeprefix(part.kind),
            "host": host,
            "inner_host": inner_host(host) if self.settings.network else host,
            "host_tuple": host.replace(".", ","),  # as Erlang writes it
            **{f"{port}_port": str(self.address(part, port)[1]) for port in part.port_keys()},
        }

    def part(self, name: str) -> Part:
        """The part with its names filled in."""
        return Part(**fill_in(asdict(self.topology.parts[name]), self.names(name)))

    def application_settings(self) -> dict[str, str]:
        """The settings that `env` prints; of several nodes, those of the first."""
        settings: dict[str, str] = {}
        for nodes in self.topology.kinds().values():
            settings |= fill_in(nodes[0].settings, self.names(nodes[0].name))
        return settings | dict(self.settings.options.extra)

    def environment(self, part: Part) -> dict[str, str]:
        """The whole environment of the part's processes; nothing of the caller's is in it."""
        if not part.is_application:
            return fill_in(ENVIRONMENT, self.names(part.name)) | part.environment
        base = fill_in(APPLICATION_ENVIRONMENT, self.names()) | part.environment
        own = {name for each in self.topology.parts.values() for name in each.own_settings}
        others = own.difference(part.own_settings)
        extra = dict(self.settings.options.extra)
        settings = self.application_settings() | part.settings | extra
        return base | {name: value for name, value in settings.items() if name not in others}

    def programs(self, part: Part) -> dict[str, list[str]]:
        """The command line of each program by its full name, which begins with that of the part."""
        copies = getattr(self.settings.options, part.copies) if part.copies else 1
        programs: dict[str, list[str]] = {}
        for number in range(1, copies + 1):
            for name, argv in part.programs.items():
                full_name = f"{part.name}{name.removeprefix(part.kind)}"
                names = {"number": str(number)}
                programs[fill_in(full_name, names)] = fill_in(argv, names)
        return programs

    def launches(self, name: str) -> list[Launch]:
        """All programs of the part."""
        names, part = self.names(name), self.part(name)
        environment = self.environment(part)
        path = f"{names['stack_path']}{environment['PATH']}"
        files = {
            f"{part.run}/{file}": fill_in(text, names)
            for file, text in self.topology.templates(part.kind).items()
        }
        if part.fill:
            part = replace(part, fill=[binary(part.fill[0], path), *part.fill[1:]])
        network = Network(self.layout.identity)
        namespace = network.namespace(name) if self.settings.network else ""
        return [
            Launch(part, program, [binary(argv[0], path), *argv[1:]], environment, files, namespace)
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


def _vitess_home(checkout: Path) -> str:
    """The folder that scripts/provision-vitess filled."""
    script = checkout / "scripts" / "provision-vitess"
    found = subprocess.run([script, "--where"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise StackError("Vitess is not installed: run scripts/provision-vitess")
    return found.stdout.strip()


LOOKUPS = {
    "java": _java,
    "elasticsearch_home": _elasticsearch_home,
    "vitess_home": _vitess_home,
    "migrations": _migrations,
}
