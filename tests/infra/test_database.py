"""A connection that was closed costs no request, and nothing is done twice."""

import os
import socket

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from infra import timeouts
from infra.database import in_transaction, read_in_thread
from infra.models import Job
from tests.lost_connection import lose_connection

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]


def new_job() -> None:
    Job.objects.create(name="a job", started_at=timezone.now())


def test_what_was_read_from_a_closed_connection_is_read_in_thread() -> None:
    new_job()
    lose_connection()
    assert read_in_thread(Job.objects.count) == 1


@pytest.mark.parametrize("inside", [False, True])
def test_a_transaction_whose_connection_was_closed_is_done_once(inside: bool) -> None:
    attempts = 0

    def work() -> int:
        nonlocal attempts
        attempts += 1
        new_job()
        if inside and attempts == 1:
            lose_connection()
        return Job.objects.count()

    if not inside:
        lose_connection()
    assert in_transaction(work) == 1
    assert Job.objects.count() == 1


def test_a_commit_that_was_lost_is_not_repeated() -> None:
    attempts = 0

    def work() -> None:
        nonlocal attempts
        attempts += 1
        new_job()
        lose_connection()

    with pytest.raises(OperationalError):
        in_transaction(work)
    assert attempts == 1
    connection.close()
    assert Job.objects.count() == 0


def test_the_kernel_ends_a_connection_whose_other_side_confirms_nothing() -> None:
    """cut-web-1 and cut-web-2 of the matrix on clusters cut such connections off."""
    connection.ensure_connection()

    with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
        waits = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert waits == 1000 * timeouts.DATABASE_SILENCE_SECONDS
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
