"""The routes of numbered rows of any record type: list, create, read and edit."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from api.requests import expected_versions, idempotent_request
from api.views import ApiView, conditional_response, created_response, json_response
from ingest.commit import accept
from ingest.edits import update
from ingest.fields import Value
from ingest.read_your_writes import get, require_parent
from ingest.records import Key, RecordType
from listing.pages import Pager, Source, query_parameters, read_window
from listing.parent_rows import rows_of
from operations.admin.log import note_added, note_edited


def key_of(address: Mapping[str, str]) -> Key:
    """The key that the address of a route names: a token, then numbers."""
    token, *numbers = address.values()
    return (token, *map(int, numbers))


class RecordCollection(ApiView):
    """The rows of one parent."""

    record_type: ClassVar[RecordType]
    suspendable_methods = ("GET", "HEAD", "POST")

    def get(self, request: Request, **address: str) -> HttpResponse:
        """A page, by number."""
        kind, parent = self.record_type, key_of(address)
        parameters = query_parameters(request)
        window = read_window(parameters)
        if self.filters.isdisjoint(parameters):
            rows = rows_of(parent)
        else:
            rows = self.filtered(parent, parameters)
        pager = Pager[Any](source=rows, number_of=itemgetter(0), represent=kind.as_json)
        page = pager.page(request, parameters, window)
        if not page["results"]:  # else there is a parent, since it has rows
            require_parent(kind, parent)
        return json_response(page)

    def filtered(self, parent: Key, parameters: Mapping[str, str]) -> Source[Any]:
        """The rows that the parameters in `filters` select. Raises Invalid."""
        raise NotImplementedError

    def post(self, request: Request, **address: str) -> HttpResponse:
        """Create one with the next number."""
        kind = self.record_type
        once = idempotent_request(request)
        row = accept(kind.new(key_of(address), accepted_at=None, **kind.clean(request.data)), once)
        if staff := self.staff_user:
            note_added(staff, [row])
        return created_response(
            self.http_request, row.number, kind.as_json(kind.show_new(row)), once
        )


class RecordItem(ApiView):
    """One row."""

    record_type: ClassVar[RecordType]
    suspendable_methods = ("GET", "HEAD", "PUT", "PATCH")

    def get(self, request: Request, **address: str) -> HttpResponse:
        """Show it."""
        row = get(self.record_type, key_of(address))
        return conditional_response(request, row.version, partial(self.record_type.as_json, row))

    def put(self, request: Request, **address: str) -> HttpResponse:
        """Give all fields new values."""
        return self._edit(request, address, self.record_type.clean)

    def patch(self, request: Request, **address: str) -> HttpResponse:
        """Give some fields new values."""
        return self._edit(request, address, self.record_type.clean_changes)

    def _edit(
        self,
        request: Request,
        address: Mapping[str, str],
        clean: Callable[[object], dict[str, Value]],
    ) -> HttpResponse:
        kind = self.record_type
        expected = expected_versions(request)
        values = clean(request.data)
        row = update(kind, key_of(address), expected, **values)
        if staff := self.staff_user:
            note_edited(staff, row, values)
        return conditional_response(request, row.version, partial(kind.as_json, kind.show(row)))
