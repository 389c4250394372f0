"""Connections to RabbitMQ that are this process's own: one attempt, short waits, quick to drop."""

from amqp.exceptions import AMQPError
from django.conf import settings
from kombu import Connection
from kombu.exceptions import KombuError

from core.timeouts import BROKER_CONNECT_SECONDS, BROKER_FAREWELL_SECONDS

#: What goes wrong with a broker.
FAILED = (AMQPError, KombuError, OSError)


def is_configured() -> bool:
    """Whether this installation has a broker at all."""
    return bool(settings.ENVIRONMENT.broker_url)


def connect(answer_seconds: float, heartbeat_seconds: float = 0) -> Connection:
    """A new connection, on which no answer is waited for longer than that. Raises one of FAILED."""
    connection = Connection(
        settings.ENVIRONMENT.broker_url,
        connect_timeout=BROKER_CONNECT_SECONDS,
        heartbeat=heartbeat_seconds,
        transport_options={
            "confirm_publish": True,
            "read_timeout": answer_seconds,
            "write_timeout": answer_seconds,
        },
    )
    # Connection.connect() would repeat a refused attempt after two seconds.
    connection.ensure_connection(max_retries=0)
    return connection


def drop(connection: Connection) -> None:
    """Close it without the farewell, which a broker that hangs would never answer."""
    connection.collect(socket_timeout=BROKER_FAREWELL_SECONDS)
