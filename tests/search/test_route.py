"""Search: which messages match, how they are shown, and that results stay within the chat."""

import random

import pytest

from search.fold_and_highlight import fold, highlight
from search.service import Matcher
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.api.test_paging import shown, walk
from tests.search.conftest import Settle


@pytest.mark.both
@pytest.mark.parametrize(
    ("body", "query", "found"),
    [
        ("Hello World", "lo wo", True),
        ("Hello World", "LO WO", True),
        ("école", "ecole", False),
        ("ÉCOLE", "école", True),
        ("会話しましょう", "話し", True),
        ("مرحبا بالعالم", "با ب", True),
        ("Straße", "STRASSE", True),
        ("ΟΔΟΣ", "οδος", True),
        ("100 % sure_ly \\o/ *?", "% sure_", True),
        ("100 percent", "%", False),
        ("a.b", "a_b", False),
        ("tab\tand\nbreak", "\tand\n", True),
        ("🤷🏽‍♀️", "🏽", True),
        ("two  spaces", " ", True),
        ("none", " ", False),
        ("\"'\\", "'\\", True),
    ],
)
def test_a_hit_contains_the_query_whatever_the_case(
    api: Api, settle: Settle, body: str, query: str, found: bool
) -> None:
    chat = api.new_chat()
    api.say(chat, "zzz", body)
    backend = settle()

    answer = api.get(f"{chat}/messages/search", query=query)

    assert answer["Search-Backend"] == backend
    assert shown(answer.json()) == ([2] if found else [])


@pytest.mark.both
def test_hits_come_newest_first_and_from_this_chat_only(api: Api, settle: Settle) -> None:
    application = api.new_application()
    chat, sibling = api.new_chat(application), api.new_chat(application)
    stranger = api.new_chat()
    for each in (chat, sibling, stranger):
        api.say(each, "needle 1", "hay", "needle 3", "NEEDLE 4")
    settle()

    page = api.get(f"{chat}/messages/search", query="needle", limit=2).json()

    assert shown(page) == [4, 3]
    assert shown(api.get(page["next"]).json()) == [1]
    assert {item["chat_number"] for item in page["results"]} == {1}


@pytest.mark.both
def test_a_hit_is_a_message_and_its_highlight(api: Api, settle: Settle) -> None:
    chat = api.new_chat()
    api.say(chat, 'say <"needle"> & NEEDLE')
    settle()

    [hit] = api.get(f"{chat}/messages/search", query="needle").json()["results"]

    assert hit.pop("highlight") == (
        "say &lt;&quot;<mark>needle</mark>&quot;&gt; &amp; <mark>NEEDLE</mark>"
    )
    assert hit == api.get(f"{chat}/messages/1").json()


@pytest.mark.both
def test_an_edited_message_is_found_by_its_new_body_only(api: Api, settle: Settle) -> None:
    chat = api.new_chat()
    api.say(chat, "old words")
    settle()

    api.put(f"{chat}/messages/1", {"body": "new words"})
    settle()

    assert shown(api.get(f"{chat}/messages/search", query="old").json()) == []
    assert shown(api.get(f"{chat}/messages/search", query="new").json()) == [1]


@pytest.mark.parametrize("query", [None, "", "x" * 257])
def test_a_query_of_the_wrong_length_is_refused(api: Api, query: str | None) -> None:
    parameters = {} if query is None else {"query": query}

    assert_problem(api.get(f"{api.new_chat()}/messages/search", **parameters), 400)


@pytest.mark.both
@pytest.mark.parametrize("number", [0, 5, 10, 2**63 - 1])
def test_pages_are_walked_in_both_orders_from_anywhere(
    api: Api, settle: Settle, number: int
) -> None:
    chat = api.new_chat()
    api.say(chat, *("needle" if n % 3 else "hay" for n in range(12)))
    settle()
    hits = [n + 1 for n in range(12) if n % 3]

    def found(**query: object) -> list[int]:
        page = api.get(f"{chat}/messages/search", query="needle", limit=3, **query).json()
        return shown(page) + [n for rest in walk(api, page, "next") for n in rest]

    below, above = [n for n in hits if n < number], [n for n in hits if n > number]
    assert found(before=number) == below[::-1]
    assert found(before=number, order="asc") == below
    assert found(after=number) == above[::-1]
    assert found(after=number, order="asc") == above


@pytest.mark.both
def test_no_chat_is_found_where_there_is_none(api: Api, settle: Settle) -> None:
    chat = api.new_chat()
    settle()

    assert_problem(api.get(f"{chat}7/messages/search", query="x"), 404)
    assert api.get(f"{chat}/messages/search", query="x").json()["results"] == []


@pytest.mark.both
@pytest.mark.parametrize(
    "query",
    ["\0", "a\0", "x" * 256, "ΐ" * 256, "*", "?", "[a-z]", "AND", '"', "\\", "{}", "\U0010ffff"],
)
def test_odd_queries_are_plain_text(api: Api, settle: Settle, query: str) -> None:
    chat = api.new_chat()
    api.say(chat, "abc", f"<{query}>".replace("\0", ""), "zzz")
    settle()

    answer = api.get(f"{chat}/messages/search", query=query)

    assert shown(answer.json()) == ([] if "\0" in query else [2])


@pytest.mark.both
def test_long_bodies_are_found_by_their_end(api: Api, settle: Settle) -> None:
    chat = api.new_chat()
    api.say(chat, "a" * 16383 + "b", "a" * 16384, "ß" * 8191 + "ab")
    settle()

    for query, hits in (("a" * 255 + "b", [1]), ("sab", [3]), ("a" * 256, [2, 1]), ("ab", [3, 1])):
        assert shown(api.get(f"{chat}/messages/search", query=query).json()) == hits


@pytest.mark.both
def test_a_scan_goes_on_until_its_page_is_full(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = api.new_chat()
    api.say(chat, *("needle" if n % 7 == 0 else "hay" for n in range(50)))
    monkeypatch.setattr(Matcher, "step", 5)

    assert shown(api.get(f"{chat}/messages/search", query="needle").json()) == [
        50, 43, 36, 29, 22, 15, 8, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "query", "marked"),
    [
        ("Straße", "ss", "Stra<mark>ß</mark>e"),
        ("ß", "s", "<mark>ß</mark>"),
        ("aaa", "aa", "<mark>aa</mark>a"),
        ("İstanbul", "i̇", "<mark>İ</mark>stanbul"),
        ("ﬃx", "fix", "<mark>ﬃx</mark>"),
        ("no hit", "z", "no hit"),
    ],
)
def test_a_highlight_marks_whole_characters(body: str, query: str, marked: str) -> None:
    assert highlight(body, query) == marked


def test_folding_goes_character_by_character() -> None:
    generator = random.Random(7)
    text = "".join(chr(generator.choice(ALL_CASED)) for _ in range(2000))

    assert fold(text) == "".join(map(fold, text))


ALL_CASED = [
    code for code in range(0x110000) if not 0xD800 <= code < 0xE000 and chr(code).casefold()
]
