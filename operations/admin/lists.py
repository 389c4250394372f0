"""The base of all lists in the admin: Django's change list with keyset pages.

It leaves out everything whose cost grows with the table: counts, offsets, sorting, filters. A page
begins at a row and not at an offset, so the last page of ten million rows costs as much as the
first one. One row more than fits on the page tells whether another page follows.

A list is a queryset in descending order of unique columns of one index; nulls come last, as in
MariaDB and SQLite. An action applies to individually selected rows of one page, never to "all".
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.filters import ListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from infra.errors import DomainError

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class PageStart:
    """A page starts after the row with this primary key, or ends before it if `backwards`."""

    pk: int
    backwards: bool


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page, and whether there is a page before and after it."""

    rows: Sequence[Row]
    has_previous: bool
    has_next: bool


def read_page(rows: "QuerySet[Row]", start: PageStart | None, size: int) -> Page[Row]:
    """The page at this start; the first page if its row is not in the list."""
    found = _rows_beyond(rows, start, size + 1) if start else []
    more = len(found) > size
    # Going back, a page that is not full is the first one: read it from the start of the list.
    if not start or not found or (start.backwards and not more):
        found = list(rows[: size + 1])
        return Page(found[:size], has_previous=False, has_next=len(found) > size)
    page = found[:size]
    if start.backwards:
        return Page(page[::-1], has_previous=True, has_next=True)
    return Page(page, has_previous=True, has_next=more)


def _rows_beyond(rows: "QuerySet[Row]", start: PageStart, count: int) -> list[Row]:
    """Up to `count` rows on one side of the start, nearest first."""
    columns = [str(column).removeprefix("-") for column in rows.query.order_by]
    row = rows.filter(pk=start.pk).values(*columns).first()
    if row is None:
        return []
    found: list[Row] = []
    for beyond in _ranges_beyond(rows.model, columns, row, count, backwards=start.backwards):
        nearest_first = rows.reverse() if start.backwards else rows
        found += nearest_first.filter(beyond)[: count - len(found)]
        if len(found) == count:
            break
    return found


def _ranges_beyond(
    model: type[Model],
    columns: Sequence[str],
    row: Mapping[str, Any],
    count: int,
    *,
    backwards: bool,
) -> Iterator[Q]:
    """Conditions for the rows whose columns, as a tuple, lie beyond those of this row.

    They come nearest first, one range of the index each: the database would read a single condition
    with OR from the beginning of the index.
    """
    for last in reversed(range(len(columns))):
        same = Q(**{column: row[column] for column in columns[:last]})
        column, value = columns[last], row[columns[last]]
        for beyond in _beyond(column, value, count, backwards=backwards):
            yield same & beyond
        if not backwards and value is not None and _is_nullable(model, column):
            yield same & Q(**{f"{column}__isnull": True})


def _beyond(column: str, value: Any, count: int, *, backwards: bool) -> Iterator[Q]:
    """Conditions for one column beyond this value.

    For a number the first condition covers the next `count` numbers, which finds nearly all rows,
    since numbers are dense: for "below n" without a lower bound, MariaDB's optimizer may read all
    rows of a large chat.
    """
    if value is None:
        if backwards:
            yield Q(**{f"{column}__isnull": False})
    elif not isinstance(value, int):
        yield Q(**{f"{column}__{'gt' if backwards else 'lt'}": value})
    elif backwards:
        yield Q(**{f"{column}__gt": value, f"{column}__lte": value + count})
        yield Q(**{f"{column}__gt": value + count})
    else:
        yield Q(**{f"{column}__lt": value, f"{column}__gte": value - count})
        if value > count:
            yield Q(**{f"{column}__lt": value - count})


def _is_nullable(model: type[Model], column: str) -> bool:
    return column != "pk" and bool(model._meta.get_field(column).null)


_PAGE = re.compile(r"(after|before)\.([1-9][0-9]{0,17})")


class SearchForm(forms.Form):
    """A search form that accepts any text: for an invalid one, Django's would show all rows."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields[SEARCH_VAR] = forms.Field(required=False)


class KeysetChangeList(ChangeList):
    """A change list with the rows of one page, and links to the neighbouring pages."""

    search_form_class = SearchForm
    page: Page[Model]

    def get_filters(
        self, request: HttpRequest
    ) -> tuple[list[ListFilter], bool, dict[str, bool | str], bool, bool]:
        """No filters, not even in the URL: they could filter by a column without an index."""
        if self.get_filters_params():
            raise IncorrectLookupParameters
        return [], False, {}, False, False

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Newest first, whatever the URL says; a search has its own order."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, and present it to Django's templates as the whole list."""
        match = _PAGE.fullmatch(request.GET.get(PAGE_VAR, ""))
        self.page = read_page(
            self.queryset,
            PageStart(pk=int(match[2]), backwards=match[1] == "before") if match else None,
            self.list_per_page,
        )
        self.result_list = self.page.rows
        self.result_count = self.full_result_count = len(self.page.rows)
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.page.rows)
        self.can_show_all = self.multi_page = False

    @property
    def first_link(self) -> str | None:
        """The URL of the first page; None on the first page."""
        return self.get_query_string() if self.page.has_previous else None

    @property
    def previous_link(self) -> str | None:
        """The URL of the previous page, if there is one."""
        return self._link("before", 0) if self.page.has_previous else None

    @property
    def next_link(self) -> str | None:
        """The URL of the next page, if there is one."""
        return self._link("after", -1) if self.page.has_next else None

    def _link(self, direction: str, index: int) -> str:
        return self.get_query_string({PAGE_VAR: f"{direction}.{self.page.rows[index].pk}"})


_PK = re.compile(r"[1-9][0-9]{0,17}")


class KeysetAdmin(admin.ModelAdmin[Row]):
    """The base of an admin with keyset pages; a subclass adds columns, search and actions.

    `search_fields` make Django show the search box; `find` searches. A list does not load the
    columns in `not_listed`.
    """

    not_listed: ClassVar[tuple[str, ...]] = ()

    actions: Any = None
    change_list_template = "operations/admin/change_list.html"
    list_per_page = 50
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css = {"all": ("operations/admin/records.css",)}

    def find(self, rows: "QuerySet[Row]", text: str) -> "QuerySet[Row] | None":
        """The rows that match a search, in the order of an index; None for an invalid search."""
        return None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple["QuerySet[Row]", bool]:
        """The rows that `find` returns; for an invalid search none, with a hint how to search."""
        rows: QuerySet[Row] = queryset.defer(*self.not_listed)
        if not search_term.strip():
            return rows, False
        found = self.find(rows, search_term)
        if found is None:
            message = f"This is not a valid search. {self.search_help_text}"
            self.message_user(request, message, messages.WARNING)
            return rows.none(), False
        return found, False

    def response_action(  # type: ignore[override] # the stubs are those of a later Django
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        """Run the action on the selected rows, oldest first, with all columns loaded."""
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if len(selected) > self.list_per_page:
            message = f"Select at most {self.list_per_page} rows. Nothing was done."
            self.message_user(request, message, messages.ERROR)
            return None
        keys = [key for key in selected if _PK.fullmatch(key)]
        rows = self.model._default_manager.filter(pk__in=keys).order_by("pk")
        return super().response_action(request, rows)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form, without the transaction that Django would open around it.

        A service opens its own transaction and repeats it after a deadlock, which is impossible
        inside another one. So the log entry is written right after the change, not with it.
        """
        # Private API of Django, called there within a transaction; missing in the stubs.
        view: Callable[..., HttpResponse] = self._changeform_view  # type: ignore[attr-defined]
        try:
            return view(request, object_id, form_url, extra_context)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class ReadOnlyAdmin(KeysetAdmin[Row]):
    """A read-only table; only its actions change it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
