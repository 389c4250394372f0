"""What each answer of Elasticsearch means for the work that met it.

Elasticsearch names the exception behind each refusal, of a whole request or of one document in it.
The name decides, because the status says too little: a closed index is 400, and so is a document
that cannot be parsed. The lists here are closed. Every other answer means that the index is away:
the database answers searches, the backlog waits, and both go on by themselves afterwards.

Nothing that is written here is harmed by a repeat (see search.index.writing), so an open outcome
is treated as one where nothing was done.
"""

from collections.abc import Mapping
from typing import Any

from infra.service_errors import Meaning
from search.errors import IndexUnavailable, IndexUnusable, NoIndex, RequestRejected, RequestTooLarge

#: The document cannot be parsed, or the mapping has no place for it.
_DOCUMENT_AT_FAULT = frozenset({
    "document_parsing_exception",
    "mapper_parsing_exception",
    "strict_dynamic_mapping_exception",
})  # fmt: skip
#: Lucene's words for a document that the mapping takes and the index cannot hold. The exception
#: that carries them has many other reasons, most of which are the index's.
_TERM_TOO_LONG = "Document contains at least one immense term"

#: The request itself is wrong, whatever state the index is in.
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

#: The time was up, or a proxy heard nothing; the server may have gone on.
_OPEN = frozenset({408, 500, 502, 504})

_BAD_REQUEST = 400
_TOO_LARGE = 413
#: A proxy may answer with a page of its own.
_TOLD_CHARACTERS = 200


def meaning_of(status: int, error: object) -> Meaning:
    """What this refusal means; `error` as Elasticsearch, or a proxy before it, words it."""
    kind, reason = _kind(error), _reason(error)
    if kind in _DOCUMENT_AT_FAULT or reason.startswith(_TERM_TOO_LONG):
        return Meaning.ROW_AT_FAULT
    if status == _BAD_REQUEST and kind in _REQUEST_AT_FAULT:
        return Meaning.DEFECT
    return Meaning.OPEN if status in _OPEN else Meaning.NOT_DONE


def failure(status: int, error: object) -> IndexUnusable:
    """The exception for what was refused, where no document is to blame."""
    # The reason of a 400 may quote what was searched for or said.
    told = f"{status} {_kind(error) if status == _BAD_REQUEST else describe(error)}"
    if _kind(error) in _NO_INDEX:
        return NoIndex(told)
    if meaning_of(status, error) in (Meaning.DEFECT, Meaning.ROW_AT_FAULT):
        return RequestRejected(told)
    return RequestTooLarge(told) if status == _TOO_LARGE else IndexUnavailable(told)


def describe(error: object) -> str:
    """The refusal for logs and operators, without the part that would quote the document."""
    kind, reason = _kind(error), _reason(error).partition(" Preview of")[0]
    return f"{kind}: {reason}" if kind else reason


def _kind(error: object) -> str:
    return str(_cause(error).get("type", ""))


def _reason(error: object) -> str:
    return str(_cause(error).get("reason", "") or "")


def _cause(error: object) -> Mapping[str, Any]:
    """A search tells what happened in the shards as the root cause of its own failure."""
    if not isinstance(error, Mapping):
        return {"reason": str(error or "")[:_TOLD_CHARACTERS]}
    if error.get("type") == "search_phase_execution_exception":
        causes = error.get("root_cause") or [error]
        return causes[0] if isinstance(causes[0], Mapping) else error
    return error
