"""Lines that cannot be imported are reported, set aside and skipped."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from conversations.models import RejectedLine
from tests.conversations.runs import everything, imported, run_import
from tests.conversations.texts import as_line, as_lines, by_application

pytestmark = pytest.mark.django_db

GOOD = [("a", "c", "first"), ("a", "c", "last")]


def with_between(folder: Path, *bad: bytes) -> Path:
    """A file of two good lines with others between them."""
    first, last = (as_line(said).encode() for said in GOOD)
    file = folder / "lines.jsonl"
    file.write_bytes(first + b"".join(line + b"\n" for line in bad) + last)
    return file


def line(**changed: object) -> bytes:
    """A line that is good but for what is changed."""
    fields = {"application": "a", "chat": "c", "body": "b", **changed}
    return json.dumps({name: value for name, value in fields.items() if value != "—"}).encode()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"no json", "is not valid JSON"),
        (b'{"application": "a", "chat": "c", "body": "b"', "is not valid JSON"),
        (b'["a", "c", "b"]', "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (line(application="—"), "application is required."),
        (line(chat=7), "chat must be a string."),
        (line(body=None), "body must be a string."),
        (line(chat=" \u3000"), "chat may not be blank."),
        (line(chat="\u200b\ufeff"), "chat may not be blank."),
        (line(application="\u3164"), "application may not be blank."),
        (line(body="\n\t"), "body may not be blank."),
        (line(application="ä" * 256), "application may have at most 255 characters."),
        (line(body="ä" * 8193), "body may have at most 16384 bytes of UTF-8."),
        (line(body="a\0b"), "body may not contain a NUL character."),
        (line(body="\ud800"), "is not valid JSON"),
        (b'{"application": "a", "chat": "\xff"}', "is not UTF-8 at byte 31"),
        (b'{"body": "' + b"x" * 1024 * 1024 + b'"}', "is longer than 1,048,576 bytes"),
        (b" " * (1024 * 1024 + 1), "is longer than 1,048,576 bytes"),
    ],
)
def test_a_bad_line_is_reported_set_aside_and_passed_over(
    bad: bytes, reason: str, tmp_path: Path
) -> None:
    file = with_between(tmp_path, bad)
    run = run_import(file)
    assert run.error is None
    assert run.complaints.startswith(f"{file}:2: {reason}")
    assert (run.result["messages"], run.result["rejected"]) == (2, 1)
    assert everything() == by_application(GOOD)
    aside = RejectedLine.objects.get()
    assert aside.line_number == 2
    assert bytes(aside.raw) == bad[: 64 * 1024]


def test_a_line_exactly_at_the_limit_is_read(tmp_path: Path) -> None:
    good = line(body="b")
    file = with_between(tmp_path, good + b" " * (1024 * 1024 - len(good)))
    assert imported(file)["messages"] == 3


def test_empty_lines_and_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    result = imported(with_between(tmp_path, b"", b" \t\r", line(mood="fine")))
    assert (result["lines"], result["messages"], result["empty"]) == (5, 3, 2)


def test_what_is_ignored_may_be_nested_as_deeply_as_in_the_api(tmp_path: Path) -> None:
    deep = line(mood="$").replace(b'"$"', b"[" * 1000 + b"]" * 1000)
    assert imported(with_between(tmp_path, deep))["messages"] == 3


def test_bad_lines_are_not_reported_again_once_they_are_done(tmp_path: Path) -> None:
    file = with_between(tmp_path, b"bad")
    run_import(file)
    assert imported(file)["rejected"] == 0
    assert RejectedLine.objects.count() == 1


def test_a_restart_forgets_what_was_set_aside(tmp_path: Path) -> None:
    file = with_between(tmp_path, b"bad")
    run_import(file)
    run_import(file, restart=True)
    assert RejectedLine.objects.count() == 1


def test_what_was_set_aside_can_be_listed_for_all_or_for_one_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run_import(with_between(tmp_path / name, b"bad", name.encode()))
    everywhere = listed()
    assert [entry.split(": ")[0] for entry in everywhere] == [
        f"{tmp_path}/{name}/lines.jsonl:{number}" for name in ("one", "two") for number in (2, 3)
    ]
    assert listed(str(tmp_path / "two" / "lines.jsonl")) == everywhere[2:]


def test_the_list_as_json_has_the_lines_themselves(tmp_path: Path) -> None:
    file = with_between(tmp_path, b"b\xffd")
    run_import(file)
    [entry] = listed("--json")
    assert json.loads(entry) == {
        "source": str(file),
        "line": 2,
        "reason": "is not UTF-8 at byte 2",
        "raw": "b\\xffd",
    }


def test_many_bad_lines_are_all_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(b"x\n" * 2_500 + as_lines(GOOD))
    run = run_import(file)
    assert run.complaints.count("\n") == RejectedLine.objects.count() == 2_500
    assert len(listed()) == 2_500


def listed(*arguments: str) -> list[str]:
    """The lines that --rejected prints."""
    stdout = StringIO()
    call_command("import_conversations", "--rejected", *arguments, stdout=stdout)
    return stdout.getvalue().splitlines()
