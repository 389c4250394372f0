"""Pages of a list that begin at a row, never at how many rows came before it.

The list is a queryset in descending order of columns that an index holds together and that no two
rows share; nulls come last, as MariaDB and SQLite have it. The page at the end of ten million rows
costs what the first one does, and nothing is counted: one row more than fits tells whether another
page follows.

Django's change list without what grows with the table: count, offset, sorting, filters.

The list is whatever the search finds (see KeysetAdmin), by keyset pages (see keyset).

The base of all lists in the admin: read by key and page by page, changed through services.

A list costs the same at any size and any depth. An action is done to rows that were selected one
by one, never to "all", and to no more than a page has.
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
class Place:
    """Where a page lies: right after the row of this primary key, or right before it."""

    pk: int
    backwards: bool


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page, and whether there are pages on either side."""

    rows: Sequence[Row]
    has_previous: bool
    has_next: bool


def read_page(rows: "QuerySet[Row]", place: Place | None, size: int) -> Page[Row]:
    """The page at this place; the first one when the place is not in the list."""
    found = _rows_beyond(rows, place, size + 1) if place else []
    more = len(found) > size
    # Walking back, a page that is not full is the first one, shown from the list's beginning.
    if not place or not found or (place.backwards and not more):
        found = list(rows[: size + 1])
        return Page(found[:size], has_previous=False, has_next=len(found) > size)
    page = found[:size]
    if place.backwards:
        return Page(page[::-1], has_previous=True, has_next=True)
    return Page(page, has_previous=True, has_next=more)


def _rows_beyond(rows: "QuerySet[Row]", place: Place, count: int) -> list[Row]:
    """So many rows on one side of the place, the nearest first."""
    columns = [str(column).removeprefix("-") for column in rows.query.order_by]
    row = rows.filter(pk=place.pk).values(*columns).first()
    if row is None:
        return []
    found: list[Row] = []
    for beyond in _ranges_beyond(rows.model, columns, row, count, backwards=place.backwards):
        nearest_first = rows.reverse() if place.backwards else rows
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
    """Where the columns, compared like a tuple, lie beyond this row's, the nearest first.

    Range by range of the index, as one condition with OR in it would be read from its beginning.
    """
    for last in reversed(range(len(columns))):
        same = Q(**{column: row[column] for column in columns[:last]})
        column, value = columns[last], row[columns[last]]
        for beyond in _beyond(column, value, count, backwards=backwards):
            yield same & beyond
        if not backwards and value is not None and _is_nullable(model, column):
            yield same & Q(**{f"{column}__isnull": True})


def _beyond(column: str, value: Any, count: int, *, backwards: bool) -> Iterator[Q]:
    """Where one column lies beyond this value.

    Of numbers the next `count` come first, where nearly all rows are, since numbers are dense:
    asked for "below n" without an end, MariaDB's optimizer may read all rows of a large chat.
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


_PLACE = re.compile(r"(after|before)\.([1-9][0-9]{0,17})")


class SearchForm(forms.Form):
    """Takes any text: what makes no sense finds nothing, where Django's would show everything."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields[SEARCH_VAR] = forms.Field(required=False)


class KeysetChangeList(ChangeList):
    """The rows of one page; its template asks for the links to its neighbours."""

    search_form_class = SearchForm
    page: Page[Model]

    def get_filters(
        self, request: HttpRequest
    ) -> tuple[list[ListFilter], bool, dict[str, bool | str], bool, bool]:
        """None, not even by hand in the address: any column could be filtered by, index or not."""
        if self.get_filters_params():
            raise IncorrectLookupParameters
        return [], False, {}, False, False

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Newest first, whatever the address says; a search sorts by what it leaves open."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, and tell Django's templates that it is all there is."""
        place = _PLACE.fullmatch(request.GET.get(PAGE_VAR, ""))
        self.page = read_page(
            self.queryset,
            Place(pk=int(place[2]), backwards=place[1] == "before") if place else None,
            self.list_per_page,
        )
        self.result_list = self.page.rows
        self.result_count = self.full_result_count = len(self.page.rows)
        self.show_full_result_count = False
        self.show_admin_actions = bool(self.page.rows)
        self.can_show_all = self.multi_page = False

    @property
    def first_link(self) -> str | None:
        """The first page, when this is another one."""
        return self.get_query_string() if self.page.has_previous else None

    @property
    def previous_link(self) -> str | None:
        """The page before this one."""
        return self._link("before", 0) if self.page.has_previous else None

    @property
    def next_link(self) -> str | None:
        """The page after this one."""
        return self._link("after", -1) if self.page.has_next else None

    def _link(self, direction: str, index: int) -> str:
        return self.get_query_string({PAGE_VAR: f"{direction}.{self.page.rows[index].pk}"})


_PK = re.compile(r"[1-9][0-9]{0,17}")


class KeysetAdmin(admin.ModelAdmin[Row]):
    """What a table adds: its columns, its search and its actions.

    `search_fields` make Django show the search box; `find` searches. A list leaves what is in
    `not_listed` in the database.
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
        """What a search finds, in the order of an index; None for a text that is no search."""
        return None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The one that neither counts nor sorts."""
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple["QuerySet[Row]", bool]:
        """What `find` finds; nothing, and how to search, for a text that is no search."""
        rows: QuerySet[Row] = queryset.defer(*self.not_listed)
        if not search_term.strip():
            return rows, False
        found = self.find(rows, search_term)
        if found is None:
            message = f"That cannot be searched for. {self.search_help_text}"
            self.message_user(request, message, messages.WARNING)
            return rows.none(), False
        return found, False

    def response_action(  # type: ignore[override] # the stubs are those of a later Django
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        """Do the action to the rows that were selected, oldest first, whole."""
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if len(selected) > self.list_per_page:
            message = f"At most {self.list_per_page} at once, please. Nothing was done."
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
        """The form, outside of the transaction that Django would open around it.

        A service has one of its own and repeats it after a deadlock, which it could not do inside
        of another. So the log is written right after the change, not together with it.
        """
        # What Django calls within its transaction; the stubs leave it out.
        view: Callable[..., HttpResponse] = self._changeform_view  # type: ignore[attr-defined]
        try:
            return view(request, object_id, form_url, extra_context)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class ReadOnlyAdmin(KeysetAdmin[Row]):
    """A table to look at: nobody adds, changes or deletes, but by its actions."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False
