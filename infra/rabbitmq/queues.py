"""The queues, each a quorum queue: on disk and, in a cluster, on several nodes.

Libraries declare none of them by themselves (`no_declare`): a queue that another release declared
with other arguments would end their connection. Messages in `search` and `webhooks` only wake a
worker, so the oldest are dropped if there are too many; beat sends one again.
"""

from collections.abc import Mapping

from kombu import Queue

SEARCH = "search"
WEBHOOKS = "webhooks"
MAINTENANCE = "maintenance"
FAILED = "failed"

#: The broker redelivers a message this often. A message that kills its worker is detected earlier;
#: one that waits for the database comes back four times an hour.
DELIVERY_LIMIT = 20
#: RabbitMQ 4 has a limit of 20 for each queue that names none, and then drops the message. The
#: queue `failed` may drop nothing, and this many returns never happen. RabbitMQ 4 also accepts -1
#: for no limit, but older servers then drop a message at its first return.
NO_DELIVERY_LIMIT = 2**31 - 1
MAX_BYTES = 8 * 1024**3
MAX_WAKE_UPS = 100


def _quorum_queue(name: str, arguments: Mapping[str, object]) -> Queue:
    return Queue(
        name,
        exchange="",
        routing_key=name,
        durable=True,
        no_declare=True,
        queue_arguments={"x-queue-type": "quorum", **arguments},
    )


def work_queue(name: str, failed: str = FAILED) -> Queue:
    """A queue of work; its dead letters go to `failed`."""
    arguments = {
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": failed,
        # A dead letter leaves its queue only once it is in the other one.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length-bytes": MAX_BYTES,
    }
    return _quorum_queue(name, arguments)


def wake_up_queue(name: str) -> Queue:
    """A queue whose messages are all alike."""
    return _quorum_queue(name, {"x-max-length": MAX_WAKE_UPS, "x-overflow": "drop-head"})


def failed_queue(name: str = FAILED) -> Queue:
    """A queue that keeps failed messages, however often they are returned."""
    return _quorum_queue(name, {"x-delivery-limit": NO_DELIVERY_LIMIT})


#: Probes of the broker publish to it, and nobody reads it: it keeps one message.
PROBE = _quorum_queue("probe", {"x-max-length": 1, "x-overflow": "drop-head"})

WORK = {name: work_queue(name) for name in ("chats", "messages", MAINTENANCE)}
WORK |= {name: wake_up_queue(name) for name in (SEARCH, WEBHOOKS)}
QUEUES = (*WORK.values(), failed_queue())
