"""What the service notes about itself can be read by operators, and changed by nobody."""

from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from core.models import DeadLetter, NumberAuthority
from core.numbering.authority import read_authority
from tests.admin.pages import address, listing, rows, text


@pytest.fixture
def dead_letter(db: None) -> DeadLetter:
    return DeadLetter.objects.create(
        acceptance=uuid4(),
        kind="messages",
        key=["a" * 24, 1, 7],
        payload=["<b>"],
        reason="Data too long",
        traceback="Traceback",
        set_aside_at=timezone.now(),
    )


def test_a_dead_letter_is_shown_with_its_reason(
    admin_client: Client, dead_letter: DeadLetter
) -> None:
    assert rows(listing(admin_client, DeadLetter)) == [dead_letter]
    page = admin_client.get(address(DeadLetter, "change", dead_letter.pk))
    assert "Data too long" in text(page)
    assert b"<b>" not in page.content.split(b"payload")[-1].split(b"</div>")[0]


def test_nobody_changes_or_removes_a_dead_letter(
    admin_client: Client, dead_letter: DeadLetter
) -> None:
    change = address(DeadLetter, "change", dead_letter.pk)
    assert admin_client.post(change, {"reason": "none"}).status_code == 403
    assert admin_client.post(address(DeadLetter, "delete", dead_letter.pk)).status_code == 403
    assert admin_client.get(address(DeadLetter, "add")).status_code == 403


def test_who_gives_numbers_is_shown(admin_client: Client) -> None:
    authority = read_authority()
    assert rows(listing(admin_client, NumberAuthority)) == [authority]
