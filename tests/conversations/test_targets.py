"""Imports write only into imported applications and chats, found by the names in the lines."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from applications.models import Application
from applications.services import create_application, rename_application
from chats.models import Chat
from conversations import chat_resolver
from messages_app.models import Message
from tests.conversations.runs import everything, imported, told
from tests.conversations.texts import Said, as_lines, by_application
from tests.rows import create_chat, create_message

pytestmark = [pytest.mark.both, pytest.mark.django_db]


def file_of(folder: Path, name: str, *said: Said) -> Path:
    """A file of these lines."""
    file = folder / name
    file.write_bytes(as_lines(said))
    return file


def test_an_application_of_the_same_name_that_no_import_made_is_left_alone(tmp_path: Path) -> None:
    token = create_application(name="a").token
    create_chat(application_token=token, name="c")
    create_message(application_token=token, chat_number=1, body="mine")
    result = imported(file_of(tmp_path, "file", ("a", "c", "theirs")))
    assert told(token) == as_lines([("a", "c", "mine")])
    assert told(result["applications"][0]["token"]) == as_lines([("a", "c", "theirs")])


def test_later_files_continue_the_chats_of_earlier_ones(tmp_path: Path) -> None:
    imported(file_of(tmp_path, "one", ("a", "c", "1"), ("a", "d", "1")))
    imported(file_of(tmp_path, "two", ("a", "d", "2"), ("a", "e", "1"), ("b", "c", "1")))
    assert everything() == {
        "a": as_lines([("a", "c", "1"), ("a", "d", "1"), ("a", "d", "2"), ("a", "e", "1")]),
        "b": as_lines([("b", "c", "1")]),
    }


def test_an_application_renamed_since_is_continued_under_its_old_name_in_the_lines(
    tmp_path: Path,
) -> None:
    result = imported(file_of(tmp_path, "one", ("old", "c", "1")))
    rename_application(token=result["applications"][0]["token"], name="new")
    imported(file_of(tmp_path, "two", ("old", "c", "2")))
    assert everything() == {"new": as_lines([("new", "c", "1"), ("new", "c", "2")])}


def test_more_chats_than_are_remembered_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_resolver, "CACHE_SIZE", 3)
    said = [("a", f"c{number % 13}", str(number)) for number in range(2_500)]
    imported(file_of(tmp_path, "many", *said))
    assert everything() == by_application(said)


@pytest.mark.django_db(transaction=True)
def test_two_imports_that_name_the_same_new_application_at_once_share_it(tmp_path: Path) -> None:
    files = [
        file_of(tmp_path, str(one), *(("a", f"c{number}", str(one)) for number in range(300)))
        for one in range(3)
    ]

    def run(file: Path) -> int:
        try:
            return int(imported(file)["messages"])
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(run, files)) == [300] * 3
    assert Application.objects.count() == 1
    assert Chat.objects.count() == 300
    assert Message.objects.count() == 900
