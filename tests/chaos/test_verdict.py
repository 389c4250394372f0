"""The verdict reports every broken promise, and nothing else."""

from collections.abc import Callable

import pytest

from chaos.evidence import Sort
from chaos.inspection import differences
from chaos.parent import Row
from chaos.verdict import CHECKS, judge
from tests.chaos.stories import CHAT, OTHER_CHAT, Story

Plant = Callable[[Story], object]


def sorts(story: Story) -> set[Sort]:
    return {violation.sort for violation in judge(story.evidence)}


def test_nothing_is_found_where_all_went_well() -> None:
    assert judge(Story().evidence) == []


def a_row_is_missing(story: Story) -> None:
    del story.texts[CHAT][2]
    story.skips[CHAT] = {3}


def a_chat_is_missing(story: Story) -> None:
    del story.texts[CHAT.__class__(CHAT.token)][1]


def a_row_is_there_twice(story: Story) -> None:
    story.texts[CHAT][7] = story.texts[CHAT][6]


def a_number_was_answered_twice(story: Story) -> None:
    story.change("repeat", rows=(Row(CHAT, 2, "n-0-2 bye"),))


def a_row_has_another_number(story: Story) -> None:
    story.rename(6, 7)
    story.skips[CHAT] = {7}


def a_number_was_left_out(story: Story) -> None:
    story.rename(6, 7)
    story.change("repeat", rows=(Row(CHAT, 7, "n-0-2 bye"),))


def a_skip_is_known_elsewhere(story: Story) -> None:
    a_number_was_left_out(story)
    story.skips[OTHER_CHAT] = {7}


def half_of_a_bulk_is_stored(story: Story) -> None:
    story.change("bulk", status=0, rows=())
    del story.texts[CHAT][5]
    story.rename(6, 5)
    story.change("repeat", rows=(Row(CHAT, 5, "n-0-2 bye"),))


def a_bulk_is_out_of_order(story: Story) -> None:
    texts = story.texts[CHAT]
    texts[3], texts[4] = texts[4], texts[3]


def an_answer_shows_fewer_rows_than_were_sent(story: Story) -> None:
    story.change("bulk", rows=story.attempts["bulk"].rows[:2])


def a_byte_differs(story: Story) -> None:
    story.texts[CHAT][2] += " "


def a_stranger_is_stored(story: Story) -> None:
    story.texts[CHAT][7] = "who am I"


def an_edit_is_gone(story: Story) -> None:
    story.texts[CHAT][1] = "n-0-1 mesnded"


def numbers_fall(story: Story) -> None:
    # The same client got 6 before 3 to 5.
    story.attempts["early"] = story.attempts.pop("repeat")
    story.change("early", is_repeat=False, client=1, sent_at=5.5)


def an_own_row_is_not_in_the_list(story: Story) -> None:
    story.change("list", rows=story.attempts["list"].rows[1:])


def an_own_edit_is_not_shown(story: Story) -> None:
    story.change("list", rows=(Row(CHAT, 1, "n-0-1 mesnded"),))


def a_read_shows_another_row(story: Story) -> None:
    story.change("read", rows=(Row(CHAT, 2, "n-1-1 hello"),))


def a_hit_is_of_another_chat(story: Story) -> None:
    story.change("search", rows=(Row(OTHER_CHAT, 2, "n-1-1 hello"),))


def a_hit_lacks_what_was_asked_for(story: Story) -> None:
    story.change("search", rows=(Row(CHAT, 2, "hello"),))


def a_repeat_was_done_anew(story: Story) -> None:
    story.change("replay", is_replayed=False)


def a_repeat_fails(story: Story) -> None:
    story.change("replay", status=503, retry_after="1", rows=())


def a_failure_is_a_500(story: Story) -> None:
    story.change("failed", status=500)


def a_row_is_denied(story: Story) -> None:
    story.change("read", status=404, rows=())


def a_failure_does_not_say_when_to_come_again(story: Story) -> None:
    story.change("failed", retry_after=None)


@pytest.mark.parametrize(
    ("plant", "sort"),
    [
        (a_row_is_missing, Sort.LOST),
        (a_chat_is_missing, Sort.LOST),
        (a_row_is_there_twice, Sort.DOUBLED),
        (a_number_was_answered_twice, Sort.DOUBLED),
        (a_row_has_another_number, Sort.RENUMBERED),
        (a_number_was_left_out, Sort.GAP),
        (a_skip_is_known_elsewhere, Sort.GAP),
        (half_of_a_bulk_is_stored, Sort.TORN),
        (a_bulk_is_out_of_order, Sort.TORN),
        (an_answer_shows_fewer_rows_than_were_sent, Sort.RENUMBERED),
        (a_byte_differs, Sort.STRANGER),
        (a_stranger_is_stored, Sort.STRANGER),
        (an_edit_is_gone, Sort.EDIT_LOST),
        (numbers_fall, Sort.ORDER),
        (an_own_row_is_not_in_the_list, Sort.UNREAD),
        (an_own_edit_is_not_shown, Sort.UNREAD),
        (a_read_shows_another_row, Sort.UNREAD),
        (a_hit_is_of_another_chat, Sort.FOREIGN),
        (a_hit_lacks_what_was_asked_for, Sort.FOREIGN),
        (a_repeat_was_done_anew, Sort.REPLAY),
        (a_repeat_fails, Sort.REPLAY),
        (a_failure_is_a_500, Sort.DISHONEST),
        (a_row_is_denied, Sort.DISHONEST),
        (a_failure_does_not_say_when_to_come_again, Sort.DISHONEST),
    ],
)
def test_what_is_planted_is_found(plant: Plant, sort: Sort) -> None:
    story = Story()

    plant(story)

    assert sort in sorts(story)


def a_skip_is_known(story: Story) -> None:
    a_number_was_left_out(story)
    story.skips[CHAT] = {7}


def an_edit_of_which_nobody_knows_was_made(story: Story) -> None:
    story.change("edit", status=0, rows=())
    story.change("list", rows=story.attempts["list"].rows[1:], status=503, retry_after="1")


def an_edit_of_which_nobody_knows_was_not_made(story: Story) -> None:
    an_edit_of_which_nobody_knows_was_made(story)
    story.texts[CHAT][1] = "n-0-1 mesnded"


def a_list_is_late_while_redis_is_away(story: Story) -> None:
    an_own_row_is_not_in_the_list(story)
    story.lists_late = (5.0, 6.0)


def nothing_was_answered_and_nothing_is_stored(story: Story) -> None:
    story.change("repeat", status=0, rows=(), is_repeat=False)
    del story.texts[CHAT][6]


@pytest.mark.parametrize(
    "plant",
    [
        a_skip_is_known,
        an_edit_of_which_nobody_knows_was_made,
        an_edit_of_which_nobody_knows_was_not_made,
        a_list_is_late_while_redis_is_away,
        nothing_was_answered_and_nothing_is_stored,
    ],
)
def test_what_is_allowed_is_no_violation(plant: Plant) -> None:
    story = Story()

    plant(story)

    assert judge(story.evidence) == []


def test_every_check_is_one_that_something_planted_fails() -> None:
    plants = [
        a_row_is_missing, a_row_is_there_twice, a_number_was_left_out, half_of_a_bulk_is_stored,
        a_byte_differs, an_own_row_is_not_in_the_list, a_hit_is_of_another_chat, numbers_fall,
        a_repeat_fails, a_failure_is_a_500,
    ]  # fmt: skip
    red = set()
    for plant in plants:
        story = Story()
        plant(story)
        red |= {check for check in CHECKS if list(check(story.evidence))}

    assert red == set(CHECKS)


@pytest.mark.parametrize(
    ("stored", "seen", "numbers"),
    [
        ({1: "a", 2: "b"}, {1: "a", 2: "b"}, []),
        ({1: "a", 2: "b"}, {1: "a"}, [2]),
        ({1: "a"}, {1: "a", 2: "b"}, [2]),
        ({1: "a"}, {1: "A"}, [1]),
        ({1: "a"}, {}, [1]),
    ],
)
def test_what_is_seen_otherwise_than_it_is_stored(
    stored: dict[int, str], seen: dict[int, str], numbers: list[int]
) -> None:
    found = differences(Sort.INDEX, {CHAT: stored}, {CHAT: seen})

    assert all(
        f"{CHAT} {number} is" in each.detail for number, each in zip(numbers, found, strict=True)
    )


def test_a_whole_chat_that_the_index_lacks() -> None:
    assert [each.sort for each in differences(Sort.INDEX, {CHAT: {1: "a"}}, {})] == [Sort.INDEX]
