"""The parts of the topology, and how long each may take to become ready and to stop.

A limit is what a busy machine may need at worst; waiting ends as soon as there is an answer.
"""

from enum import StrEnum


class Part(StrEnum):
    """What can be started, stopped and broken by itself. Several processes may make up one."""

    MARIADB = "mariadb"
    REDIS = "redis"
    RABBITMQ = "rabbitmq"
    ELASTICSEARCH = "elasticsearch"
    WEB = "web"
    WORKER = "worker"
    BEAT = "beat"


APPLICATION = (Part.WEB, Part.WORKER, Part.BEAT)
SERVICES = tuple(part for part in Part if part not in APPLICATION)

# MariaDB and RabbitMQ may have to recover from a SIGKILL first.
READY_LIMIT_S = {
    Part.MARIADB: 180,
    Part.REDIS: 60,
    Part.RABBITMQ: 150,
    Part.ELASTICSEARCH: 240,
    Part.WEB: 90,
    Part.WORKER: 90,
    Part.BEAT: 60,
}

# Who ends sooner has failed to start, and is tried again after a growing pause.
STEADY_AFTER_S = {
    Part.MARIADB: 5,
    Part.REDIS: 5,
    Part.RABBITMQ: 15,
    Part.ELASTICSEARCH: 45,
    Part.WEB: 5,
    Part.WORKER: 5,
    Part.BEAT: 3,
}

# After that a stop turns into SIGKILL: long enough for a graceful drain on a busy machine.
STOP_LIMIT_S = {
    Part.MARIADB: 60,
    Part.REDIS: 30,
    Part.RABBITMQ: 60,
    Part.ELASTICSEARCH: 60,
    Part.WEB: 70,
    Part.WORKER: 60,
    Part.BEAT: 10,
}
