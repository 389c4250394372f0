"""The topology: queues of work, so that no backlog holds up another, and one for what failed.

    web, beat ──► (default exchange) ──► chats ─────────► worker: batch insert
                                     ──► messages ──────► worker: batch insert
                                     ──► maintenance ───► background worker: counts, sweeper
                                     │      │ refused, or handed out too often
                                     │      ▼
                                     │    failed ───────► kept for the operator
                                     └─► search ────────► search worker: indexing

Libraries declare none of them by themselves (`no_declare`): a queue that an older version has made
otherwise would end their connection. See infra.rabbitmq.connection.

Every queue is a quorum queue: on disk and, in a cluster, on several nodes before it is confirmed.
A full queue of work refuses new messages, and who publishes then delivers by itself. What is in
`search` only wakes its worker, who looks into the database for what there is to do: of too many
such messages the oldest are dropped, and beat sends one again.
"""

from kombu import Queue

SEARCH = "search"
MAINTENANCE = "maintenance"
FAILED = "failed"

#: A message that came back so often is not handed out again. One that kills its worker is found out
#: earlier; one that has to wait for a database that is away comes back four times an hour.
DELIVERY_LIMIT = 20
#: RabbitMQ 4 has a limit of 20 for each queue that names none, and drops what exceeds it. From the
#: queue of the failed nothing may be dropped: this many returns never happen. RabbitMQ 4 also takes
#: -1 for no limit, but older servers then drop a message at its first return.
NO_DELIVERY_LIMIT = 2**31 - 1
MAX_BYTES = 8 * 1024**3
MAX_WAKE_UPS = 100

_QUORUM = {"x-queue-type": "quorum"}


def work_queue(name: str, failed: str = FAILED) -> Queue:
    """A queue of work, whose dead letters go to the other one."""
    return Queue(
        name,
        exchange="",
        routing_key=name,
        durable=True,
        no_declare=True,
        queue_arguments={
            **_QUORUM,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": failed,
            # What fails leaves its queue only once it is in the other one.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length-bytes": MAX_BYTES,
        },
    )


def wake_up_queue(name: str) -> Queue:
    """A queue whose messages all say the same."""
    return Queue(
        name,
        exchange="",
        routing_key=name,
        durable=True,
        no_declare=True,
        queue_arguments={**_QUORUM, "x-max-length": MAX_WAKE_UPS, "x-overflow": "drop-head"},
    )


WORK = {name: work_queue(name) for name in ("chats", "messages", MAINTENANCE)}
WORK[SEARCH] = wake_up_queue(SEARCH)


def failed_queue(name: str = FAILED) -> Queue:
    """A queue that keeps what failed, however often it is taken in vain."""
    return Queue(
        name,
        exchange="",
        routing_key=name,
        durable=True,
        no_declare=True,
        queue_arguments={**_QUORUM, "x-delivery-limit": NO_DELIVERY_LIMIT},
    )


QUEUES = (*WORK.values(), failed_queue())
