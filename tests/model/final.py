"""The end of each run: everything recovers and drains, and all promises hold."""

from collections import Counter
from collections.abc import Callable, Sequence

from chaos.rows import missing_runs
from ingest.models import DeadLetter
from tests.api.client import Api
from tests.audit.results import audit
from tests.model.answers import MOST, check_pages
from tests.model.promises import MESSAGES, Item
from tests.model.stored import is_stored, resumed_at, texts_of

IN_ALL_TEXTS = ":"


def check(api: Api, applications: Sequence[Item]) -> None:
    """Tables, lists, single items, counts, numbers, and what the audit says of the rest."""
    stored = is_stored()
    for application in applications:
        for item in application.family:
            assert stored(item), f"{item} was lost"
            shown = api.get(item.path)
            assert shown.status_code == 200, f"{item}: {shown.content}"
            item.check(shown.json(), shown["ETag"])
            if item.holds:
                _check_children(api, item)
                check_count(api, item, stored)
    assert not DeadLetter.objects.exists(), DeadLetter.objects.values()
    found = audit()
    assert found.ok, found.findings


def _check_children(api: Api, parent: Item) -> None:
    texts = texts_of(parent)
    promised = {number: child.text for number, child in parent.children.items()}
    assert promised.items() <= texts.items(), f"{parent}: {promised} but stored {texts}"
    others = Counter(texts[number] for number in texts.keys() - promised.keys())
    assert others <= parent.open, f"{parent}: {others} were stored, and nobody was promised them"
    resumed = resumed_at(parent)
    for missing in missing_runs(texts):
        assert missing[-1] + 1 in resumed, f"{parent}: {missing} are missing, and no skip says why"
    check_pages(api, parent, {"limit": MOST}, lambda _: False)
    if parent.sort is MESSAGES:
        found = api.get(f"{parent.list_path}/search", query=IN_ALL_TEXTS, limit=MOST).json()
        hits = {hit["message_number"]: hit["body"] for hit in found["results"]}
        shown = {number: text for number, text in texts.items() if text}
        assert hits == shown, f"a search in {parent} finds {hits} of {texts}"


def check_count(api: Api, parent: Item, stored: Callable[[Item], bool]) -> None:
    """Its count is that of its stored children."""
    count = api.get(parent.path).json()[f"{parent.sort.route}_count"]
    texts = texts_of(parent)
    assert count == len(texts), f"{parent} counts {count}, and has {texts}"
