"""The commands that change one part: break it, mend it, empty it."""

import shutil
from collections.abc import Callable

from localstack import ports, processes
from localstack.errors import StackError
from localstack.layout import Layout
from localstack.parts import Part
from localstack.probes import Probes
from localstack.readiness import Readiness
from localstack.settings import load_existing
from localstack.supervisor import Supervisor
from localstack.up import all_programs


def start(layout: Layout, part: Part) -> None:
    """Start it, or resume it, as the last `up` configured it; ready when this returns.

    Of the application only signs of life are awaited, since the services that it depends on may
    be down on purpose.
    """
    settings = load_existing(layout.settings_file)
    supervisor = _running_supervisor(layout)
    for program in all_programs(layout, settings):
        if program.part is part:
            program.write(layout)
    if not processes.of_part(layout.identity, part):
        ports.check_free(settings.ports, part)
    supervisor.start(part)
    Readiness(layout, supervisor, _signs_of_life(Probes(layout, settings))).wait([part])


def stop(layout: Layout, part: Part) -> None:
    """Ask it to finish what it is doing and end."""
    _running_supervisor(layout).stop([part])


def kill(layout: Layout, part: Part) -> None:
    """End every process of it at once."""
    _running_supervisor(layout).kill(part)


def pause(layout: Layout, part: Part) -> None:
    """Make it hang: its connections stay open and nothing answers."""
    _running_supervisor(layout).pause(part)


def resume(layout: Layout, part: Part) -> None:
    """Let it go on."""
    if not _running_supervisor(layout).resume(part):
        raise StackError(f"{part} does not run")


def wipe(layout: Layout, part: Part) -> None:
    """Kill it and remove its data; it stays down."""
    if part is Part.MARIADB:
        raise StackError("mariadb holds the only copy of the data: wipe everything with reset")
    _running_supervisor(layout).kill(part)
    shutil.rmtree(layout.data(part), ignore_errors=True)


def _signs_of_life(probes: Probes) -> Callable[[Part], bool]:
    broker_answers = probes.is_ready(Part.RABBITMQ)

    def is_alive(part: Part) -> bool:
        if part is Part.WEB:
            return probes.web_status() is not None
        if part is Part.WORKER and not broker_answers:
            return True
        return probes.is_ready(part)

    return is_alive


def _running_supervisor(layout: Layout) -> Supervisor:
    supervisor = Supervisor(layout)
    if not supervisor.answers():
        raise StackError("the stack is not up: run scripts/stack up")
    return supervisor
