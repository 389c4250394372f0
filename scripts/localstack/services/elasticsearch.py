"""A single Elasticsearch node without security, from the folder that scripts/provision fills.

It refuses to run as root, so it runs as a system user then. The distribution carries no start
script; the command line is the one that such a script ends in.
"""

import os
from pathlib import Path

from localstack.errors import StackError
from localstack.layout import Layout, is_root
from localstack.parts import Part
from localstack.processes import program_name
from localstack.program import Program
from localstack.services.binaries import SYSTEM_PATH, java
from localstack.settings import Settings

USER = "chatsystem-es"
SHARED = Path("/opt/chatsystem")
SCRATCH = "scratch"

CONFIGURATION = """\
cluster.name: chatsystem
node.name: local
path.data: "{data}"
path.logs: "{run}/logs"
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport}
discovery.type: single-node
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
"""

JVM_OPTIONS = """\
-Xms{heap}
-Xmx{heap}
-XX:+UseG1GC
-Djava.io.tmpdir=${{ES_TMPDIR}}
-Xlog:disable
"""

LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def programs(layout: Layout, settings: Settings) -> list[Program]:
    """The launcher process of Elasticsearch, which starts the server itself."""
    run = layout.run / Part.ELASTICSEARCH
    data = layout.data(Part.ELASTICSEARCH)
    home = _home(layout)
    return [
        Program(
            name=program_name(Part.ELASTICSEARCH),
            part=Part.ELASTICSEARCH,
            argv=_command(home, run),
            directory=str(home),
            environment={
                "PATH": SYSTEM_PATH,
                "LANG": "C.UTF-8",
                "HOME": str(run),
                "ES_TMPDIR": f"{run}/{SCRATCH}",
                "LIBFFI_TMPDIR": f"{run}/{SCRATCH}",
            },
            files=_files(run, data, settings),
            folders=(str(run), f"{run}/config", f"{run}/logs", f"{run}/{SCRATCH}", str(data)),
            scratch=f"{run}/{SCRATCH}",
            user=USER if is_root() else None,
        )
    ]


def url(settings: Settings) -> str:
    """ELASTICSEARCH_URL."""
    return f"http://127.0.0.1:{settings.ports.elasticsearch}"


def _command(home: Path, run: Path) -> tuple[str, ...]:
    """The first process only starts the second, hence its small heap and its quick compiler."""
    return (
        java(),
        "-Xms4m",
        "-Xmx64m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Djava.io.tmpdir={run}/{SCRATCH}",
        "-Dcli.name=server",
        "-Dcli.script=./bin/elasticsearch",
        "-Dcli.libs=lib/tools/server-cli",
        f"-Des.path.home={home}",
        f"-Des.path.conf={run}/config",
        "-Des.distribution.type=tar",
        "-cp",
        f"{home}/lib/*:{home}/lib/cli-launcher/*",
        "org.elasticsearch.launcher.CliToolLauncher",
    )


def _files(run: Path, data: Path, settings: Settings) -> dict[str, str]:
    configuration = CONFIGURATION.format(
        data=data,
        run=run,
        port=settings.ports.elasticsearch,
        transport=settings.ports.elasticsearch_transport,
    )
    return {
        f"{run}/config/elasticsearch.yml": configuration,
        f"{run}/config/jvm.options": JVM_OPTIONS.format(heap=settings.options.elasticsearch_heap),
        f"{run}/config/log4j2.properties": LOGGING,
    }


def _home(layout: Layout) -> Path:
    version = (layout.scripts / "elasticsearch" / "version").read_text().strip()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    for base in (SHARED, Path(cache) / "chatsystem"):
        home = base / f"elasticsearch-{version}"
        if home.is_dir():
            return home
    raise StackError(f"Elasticsearch {version} is not installed: run scripts/provision")
