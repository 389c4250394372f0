"""What a baseline leaves on the stack's servers, removed; also what a killed run left."""

import redis
from kombu import Connection, Exchange, Queue

from bench.services import Services


def remove(services: Services, *, queue: str, key_prefix: str) -> None:
    """Its queue, the exchange that Celery names after the queue, and its keys in Redis."""
    with Connection(services.broker_url) as broker:
        Queue(queue, channel=broker.default_channel).delete()
        Exchange(queue, channel=broker.default_channel).delete()
    with redis.Redis.from_url(services.scratch_redis_url) as client:
        for key in client.scan_iter(f"{key_prefix}*"):
            client.delete(key)
