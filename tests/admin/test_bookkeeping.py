"""Operators can read the service's own records, but cannot change them."""

import re

from django.contrib.admin.models import LogEntry
from django.test import Client

from applications.models import Application
from ingest.models import NumberAuthority
from ingest.numbering.authority import read_authority
from tests.admin.pages import add, address, listing, rows, text
from tests.shards import ONLY


def test_who_gives_numbers_is_shown(admin_client: Client) -> None:
    authority = read_authority(ONLY)
    assert rows(listing(admin_client, NumberAuthority)) == [authority]


def test_the_log_is_shown_and_changed_by_nobody(admin_client: Client, admin_user: object) -> None:
    add(admin_client, Application, name="Acme")
    entry = LogEntry.objects.get()

    assert rows(listing(admin_client, LogEntry)) == [entry]
    page = address(LogEntry, "change", entry.pk)
    assert "Added." in text(admin_client.get(page))
    assert admin_client.post(page, {"object_repr": "x"}).status_code == 403
    assert admin_client.post(address(LogEntry, "delete", entry.pk)).status_code == 403


def test_the_first_page_names_what_is_there_in_english(admin_client: Client) -> None:
    page = admin_client.get("/admin/").content.decode()

    named = set(re.findall(r'href="/admin/\w+/\w+/"[^>]*>([^<]+)</a>', page))
    assert {"Applications", "Dead letters", "Log entries", "Number authority"} <= named
    assert not [name for name in named if re.search(r"[^aeiou]ys$|ss$", name)]
