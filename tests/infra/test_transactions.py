"""Conflicts between concurrent transactions, on the database in use."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from applications.models import Application

TOKEN = "a" * 24


def renamed_by_a_rival(name: str) -> None:
    """Another connection renames the application, and commits."""

    def rename() -> None:
        try:
            Application.objects.filter(token=TOKEN).update(name=name)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as rival:
        rival.submit(rename).result()


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_who_hangs_within_a_transaction_does_not_hold_up_the_others() -> None:
    """As a process that is paused, or whose host is lost: the connection stays open."""
    now = timezone.now()
    Application.objects.create(token=TOKEN, name="at first", created_at=now, updated_at=now)

    def begin() -> None:
        connection.set_autocommit(False)
        Application.objects.filter(token=TOKEN).update(name="hung")

    def end() -> None:
        connection.close()

    with ThreadPoolExecutor(max_workers=1) as hung:
        hung.submit(begin).result()
        try:
            renamed_by_a_rival("theirs")
        finally:
            hung.submit(end).result()

    assert Application.objects.get(token=TOKEN).name == "theirs"


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("begins", [True, False])
def test_a_transaction_that_cannot_be_begun_or_ended_does_not_disturb_the_next(
    begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a server that stops: it refuses the statement, and keeps the connection."""
    now = timezone.now()
    Application.objects.create(token=TOKEN, name="at first", created_at=now, updated_at=now)
    application = Application.objects.filter(token=TOKEN)
    set_autocommit = connection._set_autocommit  # type: ignore[attr-defined] # the stub lacks it

    def refuse(autocommit: bool) -> None:
        if autocommit is not begins:
            raise OperationalError(1053, "Server shutdown in progress")
        set_autocommit(autocommit)

    with monkeypatch.context() as patch:
        patch.setattr(connection, "_set_autocommit", refuse)
        with pytest.raises(OperationalError), transaction.atomic():
            application.update(name="refused")
    with transaction.atomic():
        application.update(name="next")

    connection.close()  # this loses what was not committed
    assert application.get().name == "next"


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_what_a_rival_changed_meanwhile_is_seen_and_may_be_written() -> None:
    """With a snapshot instead, MariaDB 11.8 refuses the update (1020: changed since last read)."""
    now = timezone.now()
    Application.objects.create(token=TOKEN, name="at first", created_at=now, updated_at=now)
    ours = Application.objects.filter(token=TOKEN)

    with transaction.atomic():
        assert ours.get().name == "at first"
        renamed_by_a_rival("theirs")
        assert ours.get().name == "theirs"
        assert ours.select_for_update().get().name == "theirs"
        assert ours.update(name="ours") == 1

    assert ours.get().name == "ours"
