"""The configuration file of supervisord.

Nothing starts by itself; what was started is started again whenever it ends, until it is asked to
stop. A program's revision is part of its section, so that supervisord sees which ones have changed.
"""

import shlex
import sys
from collections.abc import Iterable

from localstack import processes
from localstack.layout import Layout, is_root
from localstack.parts import APPLICATION, STEADY_AFTER_S, STOP_LIMIT_S, Part
from localstack.program import Program

MAIN = """\
[unix_http_server]
file = {socket}
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
identifier = chatsystem
directory = {state}
logfile = {log}
logfile_maxbytes = 2MB
logfile_backups = 1
pidfile = {run}/supervisord.pid
nodaemon = true
silent = true
{user}
"""

# Pauses grow by a second with each retry, so 25 are five minutes. The application's programs need
# services in order to start, and go on for as long as one of them is away.
START_RETRIES, APPLICATION_START_RETRIES = 25, 10_000

PROGRAM = """\
[program:{name}]
command = {command}
environment = {environment}
autostart = false
autorestart = true
startretries = {retries}
startsecs = {steady}
stopwaitsecs = {stop_limit}
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 2
"""

GROUP = """\
[group:{part}]
programs = {names}
"""


def render(layout: Layout, programs: Iterable[Program]) -> str:
    """The whole file."""
    members: dict[Part, list[str]] = {}
    sections = [_main(layout)]
    for program in programs:
        sections.append(_program(layout, program))
        members.setdefault(program.part, []).append(program.name)
    sections += [GROUP.format(part=part, names=",".join(names)) for part, names in members.items()]
    return "\n".join(sections)


def _main(layout: Layout) -> str:
    return MAIN.format(
        socket=_literal(layout.supervisor_socket),
        state=_literal(layout.state),
        log=_literal(layout.log(processes.SUPERVISOR)),
        run=_literal(layout.run),
        user="user = root" if is_root() else "",
    )


def _program(layout: Layout, program: Program) -> str:
    launcher = (sys.executable, "-m", processes.LAUNCHER, str(layout.state), program.name)
    marks = processes.markers(layout.identity, program.name)
    environment = marks | {"STACK_REVISION": program.revision}
    return PROGRAM.format(
        name=program.name,
        command=_literal(shlex.join(launcher)),
        environment=",".join(f'{name}="{value}"' for name, value in environment.items()),
        retries=APPLICATION_START_RETRIES if program.part in APPLICATION else START_RETRIES,
        steady=STEADY_AFTER_S[program.part],
        stop_limit=STOP_LIMIT_S[program.part],
        log=_literal(layout.log(program.name)),
    )


def _literal(value: object) -> str:
    """Supervisord expands percent signs."""
    return str(value).replace("%", "%%")
