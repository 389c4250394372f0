"""Redis as a store that loses nothing it has acknowledged: each write is on disk first."""

from localstack.layout import Layout
from localstack.parts import Part
from localstack.processes import program_name
from localstack.program import Program
from localstack.services.binaries import SYSTEM_PATH, binary
from localstack.settings import Settings

# Without set-proc-title no the server would overwrite the environment that marks it as ours.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
set-proc-title no
dir "{data}"
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
"""


def programs(layout: Layout, settings: Settings) -> list[Program]:
    """The server alone."""
    run = layout.run / Part.REDIS
    data = layout.data(Part.REDIS)
    configuration = CONFIGURATION.format(
        port=settings.ports.redis, data=data, password=settings.secrets.redis
    )
    return [
        Program(
            name=program_name(Part.REDIS),
            part=Part.REDIS,
            argv=(binary("redis-server", settings.options.path), f"{run}/redis.conf"),
            directory=str(run),
            environment={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"},
            files={f"{run}/redis.conf": configuration},
            folders=(str(run), str(data)),
        )
    ]


def url(settings: Settings) -> str:
    """REDIS_URL."""
    return f"redis://:{settings.secrets.redis}@127.0.0.1:{settings.ports.redis}/0"
