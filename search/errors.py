"""Errors of the search index."""


class IndexUnusable(Exception):
    """Base class. Callers that can do without the index catch it and go on."""


class IndexUnavailable(IndexUnusable):
    """Elasticsearch is unreachable, slow or overloaded, or rejects an ordinary request."""


class RequestTooLarge(IndexUnavailable):
    """The request is too large for the server, or for a proxy before it."""


class NoIndex(IndexUnusable):
    """Elasticsearch answers, but the index does not exist: it has yet to be built."""


class RequestRejected(IndexUnusable):
    """Elasticsearch finds this request invalid: a defect of ours. Other requests may succeed."""
