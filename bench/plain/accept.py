"""One row, numbered in Redis and confirmed by RabbitMQ."""

import json

import redis
from kombu import Connection, Queue
from kombu.pools import producers

from bench.plain.names import KEY_PREFIX, QUEUE
from bench.services import services

_NUMBER = """
local number = redis.call('INCR', KEYS[1])
redis.call('ZADD', KEYS[2], number, number .. ':' .. ARGV[1])
return number
"""
_CONFIRM_SECONDS = 5

_client = redis.Redis.from_url(services().scratch_redis_url)
_number = _client.register_script(_NUMBER)
_broker = Connection(services().broker_url, transport_options={"confirm_publish": True})
_queue = Queue(
    QUEUE,
    exchange="",
    routing_key=QUEUE,
    durable=True,
    queue_arguments={"x-queue-type": "quorum"},
)


def accept(token: str, chat_number: int, row: dict[str, object]) -> int:
    """Its number, once Redis and RabbitMQ both have it."""
    chat = f"{KEY_PREFIX}{{{token}}}:{chat_number}"
    payload = json.dumps(row)
    number = int(_number(keys=[f"{chat}:number", f"{chat}:pending"], args=[payload]))
    with producers[_broker].acquire(block=True) as producer:
        producer.publish(
            {"message_number": number, **row},
            routing_key=QUEUE,
            serializer="json",
            declare=[_queue],
            mandatory=True,
            retry=False,
            confirm_timeout=_CONFIRM_SECONDS,
        )
    return number
