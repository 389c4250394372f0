"""The shard of an installation with one server."""

from infra.redis_client import Shard

ONLY = Shard()
