"""RabbitMQ, and the port mapper of its own that its Erlang node registers with.

Debian's wrapper script insists on a system user, so the server's own script is used; and nothing
of the system's RabbitMQ or Erlang (cookie, configuration, port mapper) is shared.
"""

from localstack.layout import Layout
from localstack.parts import Part
from localstack.processes import program_name
from localstack.program import Program
from localstack.services.binaries import SYSTEM_PATH, binary
from localstack.settings import Settings

# The server's own scripts; those of the same names in the system's PATH are Debian's wrappers.
SCRIPTS = "/usr/lib/rabbitmq/bin"
ACCOUNT = "chatsystem"

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {account}
default_pass = {password}
default_vhost = /
log.console = true
log.console.level = info
log.file = false
"""

# On few cores the busy waiting of idle schedulers would eat one of them; the node is reachable
# from this machine only; the port mapper is a program of its own here.
ERLANG_ARGUMENTS = (
    "+sbwt none +sbwtdcpu none +sbwtdio none "
    "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
)


def programs(layout: Layout, settings: Settings) -> list[Program]:
    """The port mapper, and the node."""
    return [_port_mapper(layout, settings), _node(layout, settings)]


def url(settings: Settings) -> str:
    """BROKER_URL; the empty last segment is the virtual host `/`."""
    return f"amqp://{ACCOUNT}:{settings.secrets.broker}@127.0.0.1:{settings.ports.rabbitmq}//"


def _port_mapper(layout: Layout, settings: Settings) -> Program:
    home = str(layout.run / Part.RABBITMQ)
    return Program(
        name=program_name(Part.RABBITMQ, "epmd"),
        part=Part.RABBITMQ,
        argv=(binary("epmd", settings.options.path),),
        directory=home,
        environment=_erlang(layout, settings),
        folders=(home,),
    )


def _node(layout: Layout, settings: Settings) -> Program:
    home = layout.run / Part.RABBITMQ
    data = layout.data(Part.RABBITMQ)
    configuration = CONFIGURATION.format(
        port=settings.ports.rabbitmq, account=ACCOUNT, password=settings.secrets.broker
    )
    return Program(
        name=program_name(Part.RABBITMQ, "node"),
        part=Part.RABBITMQ,
        argv=(binary("rabbitmq-server", _path(settings)),),
        directory=str(home),
        environment=_erlang(layout, settings)
        | {
            "RABBITMQ_NODENAME": f"chatsystem-{layout.identity}@localhost",
            "RABBITMQ_DIST_PORT": str(settings.ports.rabbitmq_distribution),
            "RABBITMQ_CONF_ENV_FILE": f"{home}/rabbitmq-env.conf",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/generated",
            "RABBITMQ_PID_FILE": f"{home}/node.pid",
            "RABBITMQ_MNESIA_BASE": str(data),
            "RABBITMQ_LOG_BASE": str(home),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_ARGUMENTS,
            # The script then becomes the node instead of staying as its parent.
            "RUNNING_UNDER_SYSTEMD": "true",
        },
        files={
            f"{home}/rabbitmq.conf": configuration,
            f"{home}/rabbitmq-env.conf": "",
            f"{home}/advanced.config": "[].\n",
            f"{home}/enabled_plugins": "[].\n",
            f"{home}/.erlang.cookie": settings.secrets.erlang_cookie,
        },
        folders=(str(home), str(data)),
        needs_port=settings.ports.rabbitmq_epmd,
    )


def _path(settings: Settings) -> str:
    return f"{settings.options.path}:{SCRIPTS}".lstrip(":")


def _erlang(layout: Layout, settings: Settings) -> dict[str, str]:
    return {
        # By it, the tools of the node are found as well.
        "PATH": f"{_path(settings)}:{SYSTEM_PATH}",
        "LANG": "C.UTF-8",
        "HOME": str(layout.run / Part.RABBITMQ),
        "ERL_EPMD_PORT": str(settings.ports.rabbitmq_epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_CRASH_DUMP_SECONDS": "0",
    }
