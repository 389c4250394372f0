"""The permitted responses, given the promises made and the current faults."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.model.promises import Item, Sort

MOST = 200


def refused(answer: Any, *, permitted: Callable[[], bool]) -> bool:
    """Whether it is a 503, which must then be permitted and have a Retry-After."""
    if answer.status_code != 503:
        return False
    detail = assert_problem(answer, 503)["detail"]
    assert int(answer["Retry-After"]) > 0
    assert permitted(), f"refused without need: {detail}"
    return True


def rows_of(answer: Any, sort: Sort, texts: Sequence[str], *, bulk: bool) -> list[dict[str, Any]]:
    """The rows of a 201, which must have these texts and consecutive numbers."""
    assert answer.status_code == 201, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"] if bulk else [answer.json()]
    assert [row[sort.text] for row in rows] == list(texts)
    first = rows[0][sort.number]
    assert [row[sort.number] for row in rows] == list(range(first, first + len(rows)))
    return rows


def check_pages(
    api: Api,
    parent: Item,
    window: Mapping[str, Any],
    may_wait: Callable[[Item], bool],
) -> None:
    """Check a list page by page from this window on: no row is missing, and none is extra."""
    page = api.get(parent.list_path, **window)
    if refused(page, permitted=lambda: may_wait(parent)):
        return
    seen: list[int] = []
    while True:
        assert page.status_code == 200, page.content
        results, following = page.json()["results"], page.json()["next"]
        assert len(results) == window["limit"] if following else len(results) <= window["limit"]
        for shown in results:
            _check_listed(parent, shown)
        seen += [shown[parent.sort.number] for shown in results]
        if following is None:
            break
        page = api.get(following)
    descending = window.get("order") == "desc"
    assert seen == sorted(set(seen), reverse=descending)
    low, high = window.get("after", 0), window.get("before", float("inf"))
    assert all(low < number < high for number in seen)
    missing = [
        child
        for number, child in parent.children.items()
        if low < number < high and number not in seen and not may_wait(child)
    ]
    assert not missing, f"{missing} missing from the list of {parent}: {seen}"


def _check_listed(parent: Item, shown: Mapping[str, Any]) -> None:
    child = parent.children.get(shown[parent.sort.number])
    if child:
        child.check(shown)
    else:
        assert shown[parent.sort.text] in parent.open, f"{parent} shows {shown}, which is not its"
