"""Why the index does not answer."""


class IndexUnusable(Exception):
    """The root of both: what can be done without the index is done without it."""


class IndexAway(IndexUnusable):
    """Elasticsearch cannot be reached, does not answer in time, or is overloaded."""


class NoIndex(IndexUnusable):
    """Elasticsearch is there, and what was asked for is not: the index is yet to be built."""
