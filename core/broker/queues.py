"""The topology: four queues of work, so that no backlog holds up another, and one for what failed.

    web, beat ──► (default exchange) ──► chats ─────────► worker: batch insert
                                     ──► messages ──────► worker: batch insert
                                     ──► search ────────► worker: indexing
                                     ──► maintenance ───► worker: counts, sweeper
                                            │ refused, or handed out too often
                                            ▼
                                          failed ────────► kept for the operator

Every queue is a quorum queue: on disk and, in a cluster, on several nodes before it is confirmed.
A full queue refuses new messages, and who publishes then delivers by itself.
"""

from kombu import Queue

SEARCH = "search"
MAINTENANCE = "maintenance"
FAILED = "failed"

#: A message that came back so often is not handed out again. One that kills its worker is found out
#: earlier; one that has to wait for a database that is away comes back four times an hour.
DELIVERY_LIMIT = 20
MAX_BYTES = 8 * 1024**3

_QUORUM = {"x-queue-type": "quorum"}


def work_queue(name: str, failed: str = FAILED) -> Queue:
    """A queue of work, whose dead letters go to the other one."""
    return Queue(
        name,
        exchange="",
        routing_key=name,
        durable=True,
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


WORK = {name: work_queue(name) for name in ("chats", "messages", SEARCH, MAINTENANCE)}


def failed_queue(name: str = FAILED) -> Queue:
    """A queue that keeps what failed."""
    return Queue(name, exchange="", routing_key=name, durable=True, queue_arguments=_QUORUM)


QUEUES = (*WORK.values(), failed_queue())
