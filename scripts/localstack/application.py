"""The application's processes as programs: web server, workers, beat."""

from localstack import commands, environment
from localstack.layout import Layout
from localstack.parts import Part
from localstack.processes import program_name
from localstack.program import Program
from localstack.settings import Settings


def programs(layout: Layout, settings: Settings) -> list[Program]:
    """One web server (which has processes of its own), the workers, one beat."""
    return [_web(layout, settings), *_workers(layout, settings), _beat(layout, settings)]


def _web(layout: Layout, settings: Settings) -> Program:
    return Program(
        name=program_name(Part.WEB),
        part=Part.WEB,
        argv=commands.web(layout, settings.ports.web),
        directory=str(layout.checkout),
        environment=environment.process(layout, settings),
    )


def _workers(layout: Layout, settings: Settings) -> list[Program]:
    return [
        Program(
            name=program_name(Part.WORKER, str(number)),
            part=Part.WORKER,
            argv=commands.worker(layout, number),
            directory=str(layout.checkout),
            environment=environment.process(layout, settings),
            immaterial=environment.WEB_ONLY,
        )
        for number in range(1, settings.options.workers + 1)
    ]


def _beat(layout: Layout, settings: Settings) -> Program:
    data = layout.data(Part.BEAT)
    return Program(
        name=program_name(Part.BEAT),
        part=Part.BEAT,
        argv=commands.beat(layout, f"{data}/schedule"),
        directory=str(layout.checkout),
        environment=environment.process(layout, settings),
        immaterial=environment.WEB_ONLY,
        folders=(str(data),),
    )
