"""`up`: from whatever state the stack is in to one where every part is ready."""

from localstack import application, ports, processes
from localstack.layout import Layout
from localstack.migration import Migration
from localstack.parts import APPLICATION, SERVICES, Part
from localstack.probes import Probes
from localstack.program import Program
from localstack.readiness import UP, Readiness
from localstack.services import elasticsearch, mariadb, rabbitmq, redis
from localstack.settings import Options, Ports, Secrets, Settings, load
from localstack.supervisor import Supervisor


def up(layout: Layout, options: Options) -> Settings:
    """Start what is down, resume what is paused, replace what is out of date, and wait."""
    layout.create()
    settings = _settle(layout, options)
    supervisor = Supervisor(layout)
    wanted = all_programs(layout, settings)
    for program in wanted:
        program.write(layout)
    supervisor.ensure(wanted)
    probes = Probes(layout, settings)
    readiness = Readiness(layout, supervisor, probes.is_ready)
    for part in SERVICES:
        supervisor.start(part)
    readiness.wait(SERVICES)
    migration = Migration(layout, settings)
    if migration.is_due() or not _all_run(supervisor):
        migration.run()
    for part in APPLICATION:
        supervisor.start(part)
    readiness.wait(Part)
    return settings


def all_programs(layout: Layout, settings: Settings) -> list[Program]:
    """Everything that supervisord is to know."""
    modules = (mariadb, redis, rabbitmq, elasticsearch, application)
    return [program for module in modules for program in module.programs(layout, settings)]


def _settle(layout: Layout, options: Options) -> Settings:
    """What was chosen before stays, as far as it still can."""
    known = load(layout.settings_file)
    running = {part for part, found in processes.by_part(layout.identity).items() if found}
    chosen = ports.choose(
        known.ports if known else Ports(), options.port, lambda part: part in running
    )
    settings = Settings(
        options=options,
        ports=chosen,
        secrets=known.secrets if known else Secrets(),
    )
    settings.save(layout.settings_file)
    return settings


def _all_run(supervisor: Supervisor) -> bool:
    return all(state.state in UP for state in supervisor.states() if state.part in APPLICATION)
