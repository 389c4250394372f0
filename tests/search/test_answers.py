"""How each Elasticsearch response is classified, by its name and status."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson
import pytest
from django.utils import timezone
from pytest_django import Settings

from infra.service_errors import Meaning
from ingest.models import DeadLetter
from search import errors
from search.errors import IndexUnavailable, NoIndex, RequestRejected
from search.index import bulk_writing, queries
from search.index.documents import Content
from search.index.layout import Target
from search.models import BacklogEntry
from search.tasks import index as index_task
from tests.api.client import Api
from tests.api.test_paging import shown
from tests.logs.conftest import Log, log
from tests.search.conftest import forget

__all__ = ["log"]


def error(kind: str, reason: str = "reason") -> dict[str, Any]:
    return {"type": kind, "reason": reason, "root_cause": [{"type": kind, "reason": reason}]}


@pytest.mark.parametrize(
    ("status", "kind", "meaning", "failure"),
    [
        (400, "index_closed_exception", Meaning.NOT_DONE, IndexUnavailable),
        (403, "cluster_block_exception", Meaning.NOT_DONE, IndexUnavailable),
        (429, "cluster_block_exception", Meaning.NOT_DONE, IndexUnavailable),
        (503, "cluster_block_exception", Meaning.NOT_DONE, IndexUnavailable),
        (401, "security_exception", Meaning.NOT_DONE, IndexUnavailable),
        (403, "security_exception", Meaning.NOT_DONE, IndexUnavailable),
        (404, "index_not_found_exception", Meaning.NOT_DONE, NoIndex),
        (404, "aliases_not_found_exception", Meaning.NOT_DONE, NoIndex),
        (404, "search_context_missing_exception", Meaning.NOT_DONE, IndexUnavailable),
        (404, "shard_not_found_exception", Meaning.NOT_DONE, IndexUnavailable),
        (408, "timeout", Meaning.OPEN, IndexUnavailable),
        (413, "content_too_long_exception", Meaning.NOT_DONE, IndexUnavailable),
        (429, "es_rejected_execution_exception", Meaning.NOT_DONE, IndexUnavailable),
        (429, "circuit_breaking_exception", Meaning.NOT_DONE, IndexUnavailable),
        (500, "null_pointer_exception", Meaning.OPEN, IndexUnavailable),
        (502, "", Meaning.OPEN, IndexUnavailable),
        (503, "no_shard_available_action_exception", Meaning.NOT_DONE, IndexUnavailable),
        (503, "unavailable_shards_exception", Meaning.NOT_DONE, IndexUnavailable),
        (503, "master_not_discovered_exception", Meaning.NOT_DONE, IndexUnavailable),
        (504, "process_cluster_event_timeout_exception", Meaning.OPEN, IndexUnavailable),
        (400, "validation_exception", Meaning.NOT_DONE, IndexUnavailable),
        (400, "an_exception_of_tomorrow", Meaning.NOT_DONE, IndexUnavailable),
        (418, "", Meaning.NOT_DONE, IndexUnavailable),
        (400, "document_parsing_exception", Meaning.ROW_AT_FAULT, RequestRejected),
        (400, "mapper_parsing_exception", Meaning.ROW_AT_FAULT, RequestRejected),
        (400, "strict_dynamic_mapping_exception", Meaning.ROW_AT_FAULT, RequestRejected),
        (400, "illegal_argument_exception", Meaning.DEFECT, RequestRejected),
        (400, "parsing_exception", Meaning.DEFECT, RequestRejected),
        (400, "query_shard_exception", Meaning.DEFECT, RequestRejected),
    ],
)
def test_the_name_decides_and_what_is_unknown_is_away(
    status: int, kind: str, meaning: Meaning, failure: type[Exception]
) -> None:
    assert errors.meaning_of(status, error(kind)) is meaning
    assert isinstance(errors.failure(status, error(kind)), failure)


@pytest.mark.parametrize("told", [None, "", "<html>Forbidden</html>", {}, {"type": None}, [1]])
def test_an_answer_of_another_shape_is_away(told: object) -> None:
    assert errors.meaning_of(403, told) is Meaning.NOT_DONE
    assert isinstance(errors.failure(403, told), IndexUnavailable)


def test_a_failure_of_all_shards_means_what_happened_in_them() -> None:
    told = error("search_phase_execution_exception", "all shards failed")
    told["root_cause"] = [error("illegal_argument_exception")]

    assert errors.meaning_of(400, told) is Meaning.DEFECT
    assert errors.meaning_of(503, {**told, "root_cause": []}) is Meaning.NOT_DONE


def test_a_term_that_no_index_can_hold_is_the_documents_fault() -> None:
    told = error("illegal_argument_exception", 'Document contains at least one immense term in "x"')

    assert errors.meaning_of(400, told) is Meaning.ROW_AT_FAULT


def test_what_clients_sent_is_not_quoted() -> None:
    quoting = error("query_shard_exception", "failed to create query: my secret")
    document = error("document_parsing_exception", "[1:6] failed. Preview of value: 'my secret'")

    assert "my secret" not in str(errors.failure(400, quoting))
    assert "my secret" not in errors.describe(document)


class Answering(BaseHTTPRequestHandler):
    """Gives every request the same answer, as a server or a proxy before it would."""

    protocol_version = "HTTP/1.1"
    status, content, headers_too = 200, b"", {"X-Elastic-Product": "Elasticsearch"}
    limit = 0

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        status, content = self.status, self.content
        if self.limit and length <= self.limit:
            lines = [one for one in body.splitlines() if one.startswith(b'{"index"')]
            status = 200
            content = orjson.dumps({"items": [{"index": {"status": 201}} for _ in lines]})
        self.send_response(status)
        for name, value in self.headers_too.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815 - named by http.server

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(settings: Settings, **answer: Any) -> Iterator[None]:
    """This process is told that Elasticsearch is where every request gets this answer."""
    handler = type("Answer", (Answering,), answer)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"elasticsearch_url": url})
        forget()
        try:
            yield
        finally:
            settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"elasticsearch_url": ""})
            forget()
            server.shutdown()


AS_JSON = {"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"}
AS_HTML = {"Content-Type": "text/html"}
PAGE = b"<html>a page of the proxy</html>"

ANSWERS = {
    "401": (401, orjson.dumps({"error": error("security_exception"), "status": 401}), AS_JSON),
    "403": (403, orjson.dumps({"error": error("security_exception"), "status": 403}), AS_JSON),
    "405": (405, orjson.dumps({"error": "Incorrect HTTP method", "status": 405}), AS_JSON),
    "500": (500, orjson.dumps({"error": error("null_pointer_exception")}), AS_JSON),
    "a page, 200": (200, PAGE, AS_HTML),
    "a page, 401": (401, PAGE, AS_HTML),
    "a page, 404": (404, PAGE, AS_HTML),
    "a page, 502": (502, PAGE, AS_HTML),
    "another product": (200, b"{}", {"Content-Type": "application/json"}),
    "half an answer": (200, b'{"hits": {', AS_JSON),
    "a redirect": (302, b"", {"Location": "http://127.0.0.1:1/"}),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_answers_searches_and_changes_do_not_fail(
    api: Api, settings: Settings, log: Log, name: str
) -> None:
    status, content, headers = ANSWERS[name]
    chat = api.new_chat()
    api.say(chat, "needle")
    with answering(settings, status=status, content=content, headers_too=headers):
        api.say(chat, "needle 2")

        found = api.get(f"{chat}/messages/search", query="needle")
        index_task()

        assert found.status_code == 200, found.content
        assert (found["Search-Backend"], shown(found.json())) == ("database", [2, 1])
        assert BacklogEntry.objects.count() == 1
        assert not DeadLetter.objects.exists()
    assert log.of("index.waits")


def test_a_search_that_is_called_wrong_takes_no_others_with_it(
    api: Api, settings: Settings, log: Log
) -> None:
    chat = api.new_chat()
    api.say(chat, "needle")
    told = orjson.dumps({"error": error("query_shard_exception"), "status": 400})
    with answering(settings, status=400, content=told, headers_too=AS_JSON):
        found = api.get(f"{chat}/messages/search", query="needle")

        assert (found["Search-Backend"], shown(found.json())) == ("database", [1])
        assert not queries.breaker().is_open
    assert log.of("search.refused")


def test_a_request_that_is_too_large_is_sent_in_parts(settings: Settings) -> None:
    now = timezone.now()
    rows = [Content(n, "t", 1, n, "x" * 1000, None, None, now, now, 1) for n in range(1, 9)]
    changes = [bulk_writing.Change(row.key, row) for row in rows]
    target = [Target("messages-write", "messages-1")]
    refusal = {"status": 413, "content": b"", "headers_too": AS_JSON}

    with answering(settings, **refusal, limit=5000):
        assert bulk_writing.write(changes, target) == []
    with answering(settings, **refusal), pytest.raises(IndexUnavailable):
        bulk_writing.write(changes, target)
