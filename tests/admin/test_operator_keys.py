"""Operators' keys in the admin: created, replaced and revoked; each is shown at most once."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from applications.authentication import hash_of
from applications.models import OperatorKey
from applications.services import (
    make_operator_key,
    revoke_operator_key,
    rotate_operator_key,
)
from tests.admin.pages import act, add, address, confirm, errors, listing, notices, rows, text
from tests.admin.test_keys import keys_in
from tests.admin.test_permissions import staff_client


@pytest.fixture
def ann(db: None) -> OperatorKey:
    make_operator_key(name="Ann")
    return OperatorKey.objects.get()


def log() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def test_a_new_key_is_shown_once(admin_client: Client) -> None:
    [key] = keys_in([text(add(admin_client, OperatorKey, name="Ann"))])

    assert OperatorKey.objects.get().key_hash == hash_of(key)
    assert not keys_in([text(listing(admin_client, OperatorKey))])
    assert log() == ["Added."]


def test_a_name_that_has_a_key_is_refused(admin_client: Client, ann: OperatorKey) -> None:
    answer = add(admin_client, OperatorKey, name=" Ann ")

    assert "replace it instead" in errors(answer)["name"][0]
    assert OperatorKey.objects.get().key_hash == ann.key_hash


def test_a_key_is_replaced_after_a_question(admin_client: Client, ann: OperatorKey) -> None:
    shown = confirm(admin_client, act(admin_client, "replace_keys", ann))

    [key] = keys_in([text(shown)])
    assert OperatorKey.objects.get().key_hash == hash_of(key) != ann.key_hash
    assert log() == ["Replaced the key."]


def test_a_key_that_was_revoked_meanwhile_is_not_made_again(
    admin_client: Client, ann: OperatorKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = act(admin_client, "replace_keys", ann)

    rotate = rotate_operator_key

    def revoked_meanwhile(*, name: str) -> str:
        revoke_operator_key(name=name)
        return rotate(name=name)

    monkeypatch.setattr("applications.admin.rotate_operator_key", revoked_meanwhile)

    shown = confirm(admin_client, question)

    assert "There is no key of this name." in text(shown)
    assert not keys_in([text(shown)])
    assert not OperatorKey.objects.exists()


def test_a_key_is_revoked_after_a_question(admin_client: Client, ann: OperatorKey) -> None:
    question = act(admin_client, "revoke", ann)
    assert OperatorKey.objects.exists()

    answer = confirm(admin_client, question)

    assert not OperatorKey.objects.exists()
    assert notices(admin_client.get(answer["Location"])) == ["Revoked: Ann"]
    assert log() == ["Revoked the key."]


def test_neither_the_list_nor_a_page_shows_what_is_kept_of_a_key(
    admin_client: Client, ann: OperatorKey
) -> None:
    assert rows(listing(admin_client, OperatorKey)) == [ann]
    page = text(admin_client.get(address(OperatorKey, "change", ann.pk)))
    assert ann.key_hash not in page + text(listing(admin_client, OperatorKey))


def test_who_may_only_look_ends_no_key(ann: OperatorKey) -> None:
    client = staff_client("view_operatorkey")

    for action in ("replace_keys", "revoke"):
        act(client, action, ann)

    assert OperatorKey.objects.get().key_hash == ann.key_hash
    assert add(client, OperatorKey, name="Bob").status_code == 403
