"""The connection to Elasticsearch, with short timeouts and no retries.

`failures` translates the client's exceptions; search.errors gives their meaning.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from elastic_transport import NdjsonSerializer, OrjsonSerializer, TransportError
from elasticsearch import ApiError, Elasticsearch

from infra.timeouts import SEARCH_ANSWER_SECONDS, SEARCH_PATIENT_SECONDS, SEARCH_RETRIES
from search.errors import IndexUnavailable, failure


class _Lines(NdjsonSerializer, OrjsonSerializer):
    """Serializes bulk requests four times as fast as the client's own serializer."""


@cache
def client() -> Elasticsearch:
    """The client of this process, created on first use, so after a fork. Use it in `failures`."""
    environment = settings.ENVIRONMENT
    return Elasticsearch(
        environment.elasticsearch_url,
        request_timeout=SEARCH_ANSWER_SECONDS,
        connections_per_node=environment.web_threads,
        serializers={each.mimetype: each() for each in (OrjsonSerializer, _Lines)},
        max_retries=SEARCH_RETRIES,
        retry_on_timeout=False,
        # With a single node there is no other to switch to, and a pause would only hide that the
        # node has come back.
        dead_node_backoff_factor=0,
        max_dead_node_backoff=0,
    )


def patient_client() -> Elasticsearch:
    """The client with a long timeout, for background work."""
    return client().options(request_timeout=SEARCH_PATIENT_SECONDS)


@contextmanager
def failures() -> Iterator[None]:
    """Wrap every request: raises IndexUnusable in place of the client's exceptions."""
    try:
        yield
    except ApiError as error:
        body = error.body
        details = body["error"] if isinstance(body, dict) and "error" in body else error.message
        raise failure(error.status_code, details) from error
    except TransportError as error:
        raise IndexUnavailable(str(error)) from error
