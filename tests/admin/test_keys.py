"""The admin shows a key once, when it is made, and never what is kept of it."""

import re
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client

from applications.keys import hash_of
from applications.models import Application
from applications.services import create_application
from tests.admin.pages import act, add, address, change, confirm, listing, notices, text
from tests.admin.test_permissions import staff_client

KEY = re.compile(r"\b[0-9a-f]{64}\b")


def keys_in(said: list[str]) -> list[str]:
    return [key for notice in said for key in KEY.findall(notice)]


def test_a_new_application_shows_its_key_once(admin_client: Client) -> None:
    add(admin_client, Application, name="Acme")

    [key] = keys_in(notices(listing(admin_client, Application)))

    assert Application.objects.get().key_hash == hash_of(key)
    assert not keys_in([text(listing(admin_client, Application))])


def replace(client: Client, *applications: Application) -> Any:
    """The page with the new keys."""
    return confirm(client, act(client, "replace_keys", *applications))


def test_a_replaced_key_is_shown_once_and_only_after_a_question(
    admin_client: Client, application: Application
) -> None:
    question = act(admin_client, "replace_keys", application)
    assert not keys_in([text(question)])
    assert Application.objects.get().key_hash is None

    shown = confirm(admin_client, question)

    [key] = keys_in([text(shown)])
    row = Application.objects.get()
    assert (row.key_hash, row.version) == (hash_of(key), 1)
    assert "no-store" in shown["Cache-Control"]
    page = address(Application, "change", application.pk)
    for after in (admin_client.get(page), listing(admin_client, Application)):
        assert not keys_in([text(after), *notices(after)])


def test_an_answer_that_is_sent_again_replaces_nothing(
    admin_client: Client, application: Application
) -> None:
    question = act(admin_client, "replace_keys", application)
    [key] = keys_in([text(confirm(admin_client, question))])

    again = confirm(admin_client, question)

    assert again.status_code == 302
    assert Application.objects.get().key_hash == hash_of(key)
    assert "not done twice" in notices(admin_client.get(again["Location"]))[0]


def test_a_made_up_answer_replaces_nothing(admin_client: Client, application: Application) -> None:
    sent = {"action": "replace_keys", "_selected_action": application.pk, "confirmation": "1" * 32}
    admin_client.post(address(Application, "changelist"), sent)

    assert Application.objects.get().key_hash is None


def test_many_keys_are_replaced_at_once(admin_client: Client, application: Application) -> None:
    other = create_application(name="other")

    shown = replace(admin_client, application, other)

    hashes = set(Application.objects.values_list("key_hash", flat=True))
    assert hashes == {hash_of(key) for key in keys_in([text(shown)])}
    assert len(hashes) == 2


def test_no_key_is_stored_anywhere(admin_client: Client, application: Application) -> None:
    [key] = keys_in([text(replace(admin_client, application))])

    for session in Session.objects.all():
        assert key not in str(session.get_decoded())
    assert not [entry for entry in LogEntry.objects.all() if key in str(vars(entry))]


def test_the_log_says_who_replaced_a_key(
    admin_client: Client, admin_user: object, application: Application
) -> None:
    replace(admin_client, application)

    entry = LogEntry.objects.get()
    assert (entry.user, entry.get_change_message()) == (admin_user, "Replaced the key.")
    assert entry.get_edited_object() == application


def test_the_page_of_an_application_leads_to_the_same_question(
    admin_client: Client, application: Application
) -> None:
    page = text(admin_client.get(address(Application, "change", application.pk)))

    assert f'formaction="{address(Application, "changelist")}"' in page
    assert f'name="_selected_action" value="{application.pk}"' in page


def test_saving_alone_leaves_the_key(admin_client: Client, application: Application) -> None:
    change(admin_client, application, name="another name")

    assert Application.objects.get().key_hash is None


def test_who_may_not_change_an_application_replaces_no_key(application: Application) -> None:
    client = staff_client("view_application")

    page = text(client.get(address(Application, "change", application.pk)))
    assert "replace_keys" not in page + text(listing(client, Application))
    act(client, "replace_keys", application)
    assert Application.objects.get().key_hash is None
