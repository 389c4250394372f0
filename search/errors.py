"""Why the index does not answer."""


class IndexUnusable(Exception):
    """The root of all: what can be done without the index is done without it."""


class IndexUnavailable(IndexUnusable):
    """Elasticsearch is out of reach, slow or overloaded, or refuses what it does otherwise."""


class RequestTooLarge(IndexUnavailable):
    """The server, or a proxy before it, takes no request of this size."""


class NoIndex(IndexUnusable):
    """Elasticsearch is there, and what was asked for is not: the index is yet to be built."""


class RequestRejected(IndexUnusable):
    """Elasticsearch calls this request wrong: a defect here, which says nothing of the next one."""
