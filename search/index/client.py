"""The connection to Elasticsearch: short waits, nothing repeated.

The client's own exceptions end here: search.index.answers says what each of them means.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from elastic_transport import NdjsonSerializer, OrjsonSerializer, TransportError
from elasticsearch import ApiError, Elasticsearch

from infra.timeouts import SEARCH_ANSWER_SECONDS, SEARCH_PATIENT_SECONDS, SEARCH_RETRIES
from search.errors import IndexUnavailable
from search.index import answers


class _Lines(NdjsonSerializer, OrjsonSerializer):
    """The lines of a bulk request, four times as fast as the client's own."""


@cache
def client() -> Elasticsearch:
    """This process's, made when first needed (so after a fork). See `failures` for its errors."""
    environment = settings.ENVIRONMENT
    return Elasticsearch(
        environment.elasticsearch_url,
        request_timeout=SEARCH_ANSWER_SECONDS,
        connections_per_node=environment.web_threads,
        serializers={each.mimetype: each() for each in (OrjsonSerializer, _Lines)},
        max_retries=SEARCH_RETRIES,
        retry_on_timeout=False,
        # Without a second node there is nothing to change to, and a pause would only hide that
        # the one there is has come back.
        dead_node_backoff_factor=0,
        max_dead_node_backoff=0,
    )


def patient_client() -> Elasticsearch:
    """The same for work that nobody waits for."""
    return client().options(request_timeout=SEARCH_PATIENT_SECONDS)


@contextmanager
def failures() -> Iterator[None]:
    """Around every request: raises an IndexUnusable in place of the client's errors."""
    try:
        yield
    except ApiError as error:
        body = error.body
        told = body["error"] if isinstance(body, dict) and "error" in body else error.message
        raise answers.failure(error.status_code, told) from error
    except TransportError as error:
        raise IndexUnavailable(str(error)) from error
