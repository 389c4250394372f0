"""What one statement reads of several shards is as each of them has it."""

import pytest

from applications.services import create_application
from ingest.database_numbers import number_and_store
from ingest.read_your_writes import Question, Window, ask_together
from ingest.submission import Submission
from ingest.window_statements import Part
from tests.rows import new_chat, new_message
from tests.vitess.shards import tokens_of_shards

pytestmark = [pytest.mark.vitess, pytest.mark.django_db(transaction=True)]


def test_text_stays_text_beside_numbers_of_another_shard() -> None:
    while not all(on_shards := tokens_of_shards().values()):
        token = create_application(name="x").token
        number_and_store([Submission([new_chat(token, "x")])])
        number_and_store([Submission([new_message(token, 1, "good morning")])])
    (one, *_), (other, *_) = on_shards

    rows, *lowest = ask_together(
        Question((one, 1), Window.of_one(1), Part.ROWS),
        Question((other, 1), Window(after=0), Part.LOWEST),
        Question((other, 1), Window(after=0), Part.LOWEST),
    )

    assert [row.body for row in rows] == ["good morning"]
    assert lowest == [[1], [1]]
