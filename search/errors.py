"""Errors of the search index, and the meaning of each error answer of Elasticsearch.

Elasticsearch names the exception behind each rejection. The name decides, because the status says
too little: a closed index is 400, and so is a document that cannot be parsed. The lists here are
closed. Any other answer means that the index is unavailable: the database answers searches, the
backlog waits, and both recover by themselves.

Writes may be repeated without harm (see search.index.bulk_writing), so an open outcome is treated
as if nothing was done.
"""

from collections.abc import Mapping
from typing import Any

from infra.service_errors import Meaning

"""Errors of the search index."""


class IndexUnusable(Exception):
    """Base class. Callers that can do without the index catch it and go on."""


class IndexUnavailable(IndexUnusable):
    """Elasticsearch is unreachable, slow or overloaded, or rejects an ordinary request."""


class RequestTooLarge(IndexUnavailable):
    """The request is too large for the server, or for a proxy before it."""


class NoIndex(IndexUnusable):
    """Elasticsearch answers, but the index does not exist: it has yet to be built."""


class IndexBehind(IndexUnusable):
    """So many hits were erased in the last seconds that the index cannot fill a page."""


class RequestRejected(IndexUnusable):
    """Elasticsearch finds this request invalid: a defect of ours. Other requests may succeed."""


#: The document cannot be parsed, or the mapping has no place for it.
_DOCUMENT_AT_FAULT = frozenset({
    "document_parsing_exception",
    "mapper_parsing_exception",
    "strict_dynamic_mapping_exception",
})  # fmt: skip
#: Lucene's message for a document that fits the mapping but not the index. The same exception is
#: raised for many other reasons, most of which are not the document's fault.
_TERM_TOO_LONG = "Document contains at least one immense term"

#: The request itself is wrong, whatever the state of the index.
_REQUEST_AT_FAULT = frozenset({
    "action_request_validation_exception",
    "illegal_argument_exception",
    "named_object_not_found_exception",
    "parse_exception",
    "parsing_exception",
    "query_shard_exception",
    "too_complex_to_determinize_exception",
    "too_many_clauses",
    "too_many_nested_clauses",
    "x_content_parse_exception",
})  # fmt: skip

#: There is no index of this name.
_NO_INDEX = frozenset({"aliases_not_found_exception", "index_not_found_exception"})

#: A timeout of the server or of a proxy; the request may have been executed.
_OPEN = frozenset({408, 500, 502, 504})

_BAD_REQUEST = 400
_TOO_LARGE = 413
#: Kept of an answer that is not JSON: a proxy may send a whole page.
_KEPT_CHARACTERS = 200


def meaning_of(status: int, error: object) -> Meaning:
    """The meaning of this error; `error` is the body as Elasticsearch, or a proxy, sent it."""
    kind, reason = _kind(error), _reason(error)
    if kind in _DOCUMENT_AT_FAULT or reason.startswith(_TERM_TOO_LONG):
        return Meaning.ROW_AT_FAULT
    if status == _BAD_REQUEST and kind in _REQUEST_AT_FAULT:
        return Meaning.DEFECT
    return Meaning.OPEN if status in _OPEN else Meaning.NOT_DONE


def failure(status: int, error: object) -> IndexUnusable:
    """The exception for a failed request."""
    # The reason of a 400 may quote a query or a message.
    description = f"{status} {_kind(error) if status == _BAD_REQUEST else describe(error)}"
    if _kind(error) in _NO_INDEX:
        return NoIndex(description)
    if meaning_of(status, error) in (Meaning.DEFECT, Meaning.ROW_AT_FAULT):
        return RequestRejected(description)
    return RequestTooLarge(description) if status == _TOO_LARGE else IndexUnavailable(description)


def describe(error: object) -> str:
    """The error for logs and operators, without the part that quotes the document."""
    kind, reason = _kind(error), _reason(error).partition(" Preview of")[0]
    return f"{kind}: {reason}" if kind else reason


def _kind(error: object) -> str:
    return str(_cause(error).get("type", ""))


def _reason(error: object) -> str:
    return str(_cause(error).get("reason", "") or "")


def _cause(error: object) -> Mapping[str, Any]:
    """The innermost error: a failed search has the errors of its shards as root causes."""
    if not isinstance(error, Mapping):
        return {"reason": str(error or "")[:_KEPT_CHARACTERS]}
    if error.get("type") == "search_phase_execution_exception":
        causes = error.get("root_cause") or [error]
        return causes[0] if isinstance(causes[0], Mapping) else error
    return error
