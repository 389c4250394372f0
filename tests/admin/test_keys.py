"""The admin shows a key once, when it is made, and never what is kept of it."""

import re

from django.contrib.admin.models import LogEntry
from django.test import Client

from applications.keys import hash_of
from applications.models import Application
from tests.admin.pages import add, address, change, listing, notices, text
from tests.admin.test_permissions import staff_client

KEY = re.compile(r"\b[0-9a-f]{64}\b")


def keys_in(said: list[str]) -> list[str]:
    return [key for notice in said for key in KEY.findall(notice)]


def test_a_new_application_shows_its_key_once(admin_client: Client) -> None:
    add(admin_client, Application, name="Acme")

    [key] = keys_in(notices(listing(admin_client, Application)))

    assert Application.objects.get().key_hash == hash_of(key)
    assert not keys_in([text(listing(admin_client, Application))])


def test_the_button_replaces_the_key_and_shows_the_new_one_once(
    admin_client: Client, application: Application
) -> None:
    page = address(Application, "change", application.pk)
    assert 'name="_new_key"' in text(admin_client.get(page))

    first = change(admin_client, application, name=application.name, _new_key="x")
    [old] = keys_in(notices(admin_client.get(first["Location"])))
    second = change(admin_client, application, name=application.name, _new_key="x")
    shown = admin_client.get(second["Location"])

    [new] = keys_in(notices(shown))
    assert new != old
    row = Application.objects.get()
    assert (row.key_hash, row.version) == (hash_of(new), 1)
    assert not keys_in([text(admin_client.get(page))])
    assert not keys_in([text(listing(admin_client, Application))])


def test_the_log_says_who_replaced_a_key_and_not_the_key(
    admin_client: Client, admin_user: object, application: Application
) -> None:
    change(admin_client, application, name=application.name, _new_key="x")

    entries = LogEntry.objects.filter(change_message__contains="Replaced the key.")
    assert [entry.user for entry in entries] == [admin_user]
    assert not keys_in([str(entry.change_message) for entry in LogEntry.objects.all()])


def test_saving_alone_leaves_the_key(admin_client: Client, application: Application) -> None:
    change(admin_client, application, name="another name")

    assert Application.objects.get().key_hash is None


def test_who_may_not_change_an_application_has_no_button(application: Application) -> None:
    client = staff_client("view_application")

    assert "_new_key" not in text(client.get(address(Application, "change", application.pk)))
    assert change(client, application, name="x", _new_key="x").status_code == 403
    assert Application.objects.get().key_hash is None
