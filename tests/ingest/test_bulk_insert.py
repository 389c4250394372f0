"""Values in a handwritten INSERT equal those that Django's fields write."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from ingest.bulk_insert import time_text, uuid_text
from ingest.records import from_microseconds

pytestmark = pytest.mark.both

MOMENTS = st.integers(
    0, (datetime(9999, 1, 1, tzinfo=UTC) - from_microseconds(0)) // timedelta(microseconds=1)
)


@given(MOMENTS)
def test_a_time_is_what_its_field_writes(microseconds: int) -> None:
    expected = str(connection.ops.adapt_datetimefield_value(from_microseconds(microseconds)))

    assert time_text(connection)(microseconds) == expected


@given(st.uuids())
def test_a_uuid_is_its_digits_however_it_was_written(value: UUID) -> None:
    assert (
        uuid_text(value.hex) == uuid_text(str(value)) == uuid_text(str(value).upper()) == value.hex
    )


@pytest.mark.parametrize("value", ["", "no UUID", "0" * 31, "0" * 33, "g" * 32])
def test_what_is_no_uuid_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"UUID|base 16"):
        uuid_text(value)
