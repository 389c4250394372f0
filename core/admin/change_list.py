"""Django's change list without what grows with the table: count, offset, sorting, filters.

The list is whatever the search finds (see KeysetAdmin), by keyset pages (see keyset).
"""

import re
from typing import Any

from django import forms
from django.contrib.admin.filters import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from core.admin.keyset import Page, Place, read_page

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
