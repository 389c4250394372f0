"""What listeners heard is compared with the log, and the log with the rows."""

from chaos.evidence import Sort
from chaos.listening import LogEntry, compare_log, expected_ids, heard_otherwise
from chaos.parent import Parent

TOKEN = "a" * 24
APPLICATION, CHAT, OTHER = Parent(TOKEN), Parent(TOKEN, 1), Parent(TOKEN, 2)
LOG = [
    LogEntry("1", 1, (APPLICATION, 1)),
    LogEntry("2.1", 1, (CHAT, 1)),
    LogEntry("2", 1, (CHAT, 2)),
    LogEntry("3", 2, (APPLICATION, 2)),
    LogEntry("4", 1, None),
    LogEntry("5", None, None),
]
TEXTS = {APPLICATION: {1: "home", 2: "home"}, CHAT: {1: "x", 2: "y"}}
IDS = [entry.id for entry in LOG]


def sorts(heard: list[str]) -> set[Sort]:
    return {one.sort for one in heard_otherwise(APPLICATION, IDS, heard)}


def test_an_application_hears_all_and_a_chat_its_own() -> None:
    assert expected_ids(LOG, APPLICATION) == IDS
    assert expected_ids(LOG, CHAT) == ["1", "2.1", "2", "4"]
    assert expected_ids(LOG, OTHER) == ["3"]


def test_what_was_heard_is_compared_with_the_log() -> None:
    assert sorts(IDS) == set()
    assert sorts([*IDS[:2], *IDS[3:]]) == {Sort.UNHEARD}
    assert sorts([*IDS, "6"]) == {Sort.INVENTED}
    assert sorts([*IDS[:2], IDS[3], IDS[2], *IDS[4:]]) == {Sort.UNORDERED}


def test_each_row_has_one_event_and_each_event_a_row() -> None:
    def found(log: list[LogEntry]) -> set[Sort]:
        return {one.sort for one in compare_log(TOKEN, log, TEXTS)}

    assert found(LOG) == set()
    assert found(LOG[:2] + LOG[3:]) == {Sort.UNHEARD}
    assert found([*LOG, LogEntry("6", 1, (CHAT, 2))]) == {Sort.INVENTED}
    assert found([*LOG, LogEntry("6", 1, (CHAT, 3))]) == {Sort.INVENTED}
