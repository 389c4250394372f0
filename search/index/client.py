"""The connection to Elasticsearch: short waits, nothing repeated, two ways to fail.

Whoever asks decides what a failure means, so the client's own exceptions end here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from elastic_transport import NdjsonSerializer, OrjsonSerializer, TransportError
from elasticsearch import ApiError, Elasticsearch, NotFoundError

from core.timeouts import SEARCH_ANSWER_SECONDS, SEARCH_PATIENT_SECONDS, SEARCH_RETRIES
from search.errors import IndexAway, NoIndex

_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


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
    """Around every request: raises IndexAway and NoIndex in the place of the client's errors."""
    try:
        yield
    except NotFoundError as error:
        raise NoIndex(str(error)) from error
    except ApiError as error:
        if error.status_code != _TOO_MANY_REQUESTS and error.status_code < _SERVER_ERROR:
            raise
        raise IndexAway(str(error)) from error
    except TransportError as error:
        raise IndexAway(str(error)) from error
