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
            name=name,
            part=Part.WORKER,
            argv=argv,
            directory=str(layout.checkout),
            environment=environment.process(layout, settings),
            immaterial=environment.WEB_ONLY,
        )
        for name, argv in worker_commands(layout, settings.options.workers).items()
    ]


def worker_commands(layout: Layout, workers: int) -> dict[str, tuple[str, ...]]:
    """The command lines of the workers by the names of their programs."""
    numbered = {str(number): commands.worker(layout, number) for number in range(1, workers + 1)}
    others = {"search": commands.search(layout), "background": commands.background(layout)}
    all_of_them = {**numbered, **others}
    return {program_name(Part.WORKER, name): argv for name, argv in all_of_them.items()}


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
