"""The admin shows a key once, when it is created, and never shows its stored form."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connections
from django.db.models import Model
from django.http import HttpRequest
from django.test import Client

from applications import admin
from applications.authentication import hash_of
from applications.models import Application, OperatorKey
from applications.services import create_application
from operations.admin import confirmation
from tests.admin.pages import act, add, address, change, confirm, listing, notices, text
from tests.admin.test_permissions import staff_client

KEY = re.compile(r"\b[0-9a-f]{64}\b")


def keys_in(said: list[str]) -> list[str]:
    return [key for notice in said for key in KEY.findall(notice)]


@pytest.mark.parametrize("model", [Application, OperatorKey])
@pytest.mark.parametrize("button", ["_save", "_addanother", "_continue"])
def test_a_first_key_is_on_the_page_that_answers_and_nowhere_else(
    admin_client: Client,
    model: type[Application | OperatorKey],
    button: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    shown = add(admin_client, model, name="Acme", **{button: "Save"})

    assert shown.status_code == 200
    [key] = keys_in([text(shown)])
    row = model._default_manager.get()
    assert row.key_hash == hash_of(key)
    assert "no-store" in shown["Cache-Control"]
    assert key not in str(shown.headers) + str(shown.cookies) + str(admin_client.cookies)
    assert notices(shown) == []
    for session in Session.objects.all():
        assert key not in str(session.get_decoded()) + session.session_data
    assert LogEntry.objects.count() == 1
    for after in (
        listing(admin_client, model),
        listing(admin_client, LogEntry),
        admin_client.get(address(model, "change", row.pk)),
        admin_client.get(address(model, "history", row.pk)),
        admin_client.get("/admin/"),
    ):
        assert after.status_code == 200
        assert not keys_in([text(after), *notices(after), str(after.cookies)])
    assert key not in caplog.text


def filled(client: Client, model: type[Model]) -> dict[str, str]:
    """A form to add with as a browser sends it: with what is hidden in it."""
    page = client.get(address(model, "add"))
    return {page.context["field"]: page.context["mark"], "name": "Acme"}


def test_a_form_that_is_sent_again_adds_nothing(admin_client: Client) -> None:
    sent = filled(admin_client, Application)
    assert f'value="{sent["confirmation"]}"' in text(
        admin_client.post(address(Application, "add"), {**sent, "name": " "})
    )
    [key] = keys_in([text(admin_client.post(address(Application, "add"), sent))])

    again = admin_client.post(address(Application, "add"), sent)

    assert again.status_code == 302
    assert "nothing is added twice" in notices(admin_client.get(again["Location"]))[0]
    assert Application.objects.get().key_hash == hash_of(key)


@pytest.fixture
def superuser(transactional_db: None) -> User:
    return User.objects.create_superuser("root", password="")


def at_once(
    client: Client, click: Callable[[Client], Any], monkeypatch: pytest.MonkeyPatch
) -> list[Any]:
    """The answers to two clicks: each request has read the session before the other writes it."""
    both, take = threading.Barrier(2, timeout=30), confirmation.take_token

    def take_when_both_are_there(request: HttpRequest, mark: str) -> bool:
        both.wait()
        return take(request, mark)

    for module in (confirmation, admin):
        monkeypatch.setattr(module, "take_token", take_when_both_are_there)

    def one(_: int) -> Any:
        clicking = Client()
        clicking.cookies["sessionid"] = client.cookies["sessionid"].value
        try:
            return click(clicking)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2)))


def test_two_clicks_at_once_replace_a_key_once(
    superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = create_application(name="Acme")
    client = Client()
    client.force_login(superuser)
    question = act(client, "replace_keys", application)

    shown = at_once(client, lambda clicking: confirm(clicking, question), monkeypatch)

    [page] = [answer for answer in shown if answer.status_code == 200]
    [key] = keys_in([text(page)])
    assert Application.objects.get().key_hash == hash_of(key)


@pytest.mark.parametrize("model", [Application, OperatorKey])
def test_two_clicks_at_once_add_one(
    superuser: User, model: type[Application | OperatorKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.force_login(superuser)
    sent = filled(client, model)

    shown = at_once(
        client, lambda clicking: clicking.post(address(model, "add"), sent), monkeypatch
    )

    [page] = [answer for answer in shown if answer.status_code == 200]
    [key] = keys_in([text(page)])
    assert model._default_manager.get().key_hash == hash_of(key)


def test_two_who_add_a_key_of_one_name_do_not_end_each_others(
    superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.force_login(superuser)
    sent = [filled(client, OperatorKey), filled(client, OperatorKey)]

    shown = at_once(
        client,
        lambda clicking: clicking.post(address(OperatorKey, "add"), sent.pop()),
        monkeypatch,
    )

    [page] = [answer for answer in shown if answer.status_code == 200]
    [key] = keys_in([text(page)])
    assert OperatorKey.objects.get().key_hash == hash_of(key)


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
    assert "already submitted" in notices(admin_client.get(again["Location"]))[0]


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
