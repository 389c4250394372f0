"""The clients' actions, in any order; each response is compared with earlier promises.

There is one client, which waits for each response. Only the installation acts besides it, and its
actions are part of the machine too (tests.model.faults).
"""

import sys
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from operations import counts
from search.fold_and_highlight import fold
from tests.api.client import Api
from tests.api.problems import assert_problem
from tests.model import final
from tests.model.answers import MOST, check_pages, refused, rows_of
from tests.model.promises import MESSAGES, Item, Repeatable, new_application
from tests.model.stored import delete_all, is_stored

Choice = TypeVar("Choice")

#: Few characters, so that texts are found in each other: upper and lower, of two bytes and of four.
ALPHABET = "abAß 👋"
texts = st.text(ALPHABET, max_size=8)
picks = st.integers(0, 99)
keys = st.none() | st.sampled_from(["k1", "k2", "k3"])
numbers = st.integers(0, 300)
#: One after the other: in which chat, what, under which key.
Writes = list[tuple[int, str, str | None]]
writes = st.lists(st.tuples(picks, texts, keys), min_size=1, max_size=4)


def chosen(items: Sequence[Choice], pick: int) -> Choice:
    """Pick an item by modulo, so that every pick is valid for any number of items."""
    return items[pick % len(items)]


class Clients(RuleBasedStateMachine):
    """Clients of the database alone: no request may be refused and no number missing."""

    def __init__(self) -> None:
        super().__init__()
        delete_all()
        self.api = Api()
        self.known: list[Item] = []
        self.requests: dict[tuple[str, str], Repeatable] = {}
        self.latest: Item | None = None
        self.said = 0
        self.is_dense = True

    # What is permitted just now: nothing, where there is nothing that can be away.

    def may_wait(self, item: Item) -> bool:
        """Whether the item may be queued but invisible."""
        return False

    def may_be_refused(self, parent: Item) -> bool:
        """Whether a create in the parent may be answered 503 without effect."""
        return self.may_wait(parent)

    def may_be_open(self) -> bool:
        """Whether a create's outcome may be unknown."""
        return False

    def may_doubt(self, parent: Item, *, far: bool) -> bool:
        """Whether a child that never existed may get the response of a queued one.

        `far`: its number is above all that could have been given.
        """
        return False

    def may_be_undecided(self, request: Repeatable) -> bool:
        """Whether nobody may know if the request was done before; then it is answered 503."""
        return False

    def may_be_forgotten(self, request: Repeatable) -> bool:
        """Whether the request's key may be lost or invisible."""
        return False

    def watched(self) -> list[Item]:
        """The items to read after each step."""
        return [self.latest] if self.latest else []

    def is_found(self, item: Item) -> bool:
        """Whether a search must find the item's current text."""
        return True

    # Creating.

    @initialize()
    def two_applications_with_a_chat_each(self) -> None:
        for _ in range(2):
            self.register("")
            self._create(self.known[-1], ["a"], None)

    @rule(name=texts)
    def register(self, name: str) -> None:
        answer = self.api.post("/applications", {"name": self._unique(name)})
        assert answer.status_code == 201, answer.content
        shown = {name: value for name, value in answer.json().items() if name != "key"}
        application = new_application(f"application {len(self.known)}", shown, answer["ETag"])
        self.known.append(application)

    @rule(pick=picks, name=texts, key=keys)
    def create_chat(self, pick: int, name: str, key: str | None) -> None:
        self._create(chosen(self.known, pick), [name], key)

    @rule(said=writes)
    def say(self, said: Writes) -> None:
        for pick, body, key in said:
            if chat := self.a_chat(pick):
                self._create(chat, [body], key)

    @rule(pick=picks, bodies=st.lists(texts, min_size=1, max_size=5), key=keys)
    def say_many(self, pick: int, bodies: list[str], key: str | None) -> None:
        if chat := self.a_chat(pick):
            self._create(chat, bodies, key, bulk=True)

    def _create(
        self, parent: Item, given: list[str], key: str | None, *, bulk: bool = False
    ) -> None:
        path = f"{parent.list_path}/bulk" if bulk else parent.list_path
        if key and (path, key) in self.requests:
            self._repeat(self.requests[path, key])
            return
        said = [self._unique(text) for text in given]
        fields = [{parent.sort.text: text} for text in said]
        body: Any = {"messages": fields} if bulk else fields[0]
        request = Repeatable(f"{key} of {path}", parent, path, key or "", body, said)
        if key:
            self.requests[path, key] = request
        self._send(request)

    def _send(self, request: Repeatable) -> None:
        """Once, or once more."""
        headers = {"Idempotency-Key": request.key} if request.key else {}
        answer = self.api.post(request.path, request.body, **headers)
        parent, bulk = request.parent, "messages" in request.body
        may_be_open = self.may_be_open()
        if refused(
            answer,
            permitted=lambda: (
                may_be_open or self.may_be_refused(parent) or self.may_be_undecided(request)
            ),
        ):
            if may_be_open:
                request.is_open = True
                parent.open.update(request.texts)
            return
        rows = rows_of(answer, parent.sort, request.texts, bulk=bulk)
        if answer.headers.get("Idempotency-Replayed"):
            assert request.key
            self._check_replayed(request, answer.json(), rows)
            return
        request.answers.append(answer.json())
        first = rows[0][parent.sort.number]
        assert first > parent.highest, f"{parent}: {first} after {parent.highest}"
        assert not self.is_dense or first == parent.highest + 1, f"{parent}: a gap below {first}"
        etag = None if bulk else answer["ETag"]
        request.items += [parent.new_child(row, etag) for row in rows]
        self.latest = request.items[-1]

    def _check_replayed(self, request: Repeatable, answer: Any, rows: list[dict[str, Any]]) -> None:
        if answer in request.answers:
            return
        assert request.is_open, f"{request}: {answer} is none of {request.answers}"
        # The first attempt was done after all, and nobody had been told.
        request.answers.append(answer)
        request.items += [request.parent.new_child(row, None) for row in rows]

    # Repeating.

    @rule(pick=picks)
    def repeat(self, pick: int) -> None:
        if self.requests:
            self._repeat(chosen([*self.requests.values()], pick))

    def _repeat(self, request: Repeatable) -> None:
        may_be_new = not request.answers or self.may_be_forgotten(request)
        before = len(request.items)
        self._send(request)
        new = request.items[before:]
        assert may_be_new or request.is_open or not new, f"{request} was done twice: {new}"

    @rule(pick=picks)
    def use_a_key_for_another_body(self, pick: int) -> None:
        if not self.requests:
            return
        request = chosen([*self.requests.values()], pick)
        if not request.answers or self.may_be_forgotten(request):
            return  # then it may be the first with this key
        other = {**request.body, "messages": [{"body": "x"}], "body": "x", "name": "x"}
        headers = {"Idempotency-Key": request.key}
        answer = self.api.post(request.path, other, **headers)
        if not refused(
            answer,
            permitted=lambda: self.may_be_refused(request.parent) or self.may_be_undecided(request),
        ):
            assert_problem(answer, 422)

    # Reading.

    @rule(pick=picks)
    def read(self, pick: int) -> None:
        self._read(chosen(self.items(), pick))

    def _read(self, item: Item) -> bool:
        """Whether it is shown now."""
        answer = self.api.get(item.path)
        if refused(answer, permitted=lambda: self.may_wait(item)):
            return False
        assert answer.status_code == 200, f"{item}: {answer.content}"
        item.check(answer.json(), answer["ETag"])
        known = self.api.client.get(
            f"/api/v1{item.path}", headers={"If-None-Match": answer["ETag"]}
        )
        assert known.status_code == 304
        return True

    @rule(
        pick=picks,
        limit=st.integers(1, 4) | st.just(MOST),
        after=st.none() | numbers,
        before=st.none() | numbers,
        order=st.sampled_from(["asc", "desc"]),
    )
    def read_list(
        self, pick: int, limit: int, after: int | None, before: int | None, order: str
    ) -> None:
        parent = chosen([item for item in self.items() if item.holds], pick)
        window = {"limit": limit, "after": after, "before": before, "order": order}
        given = {name: value for name, value in window.items() if value is not None}
        check_pages(self.api, parent, given, self.may_wait)

    @rule(pick=picks, ahead=st.integers(1, 3) | st.just(10**15), edit=st.booleans())
    def ask_for_what_was_never_there(self, pick: int, ahead: int, edit: bool) -> None:
        parents = [item for item in self.items() if item.holds and not item.open]
        if not parents:
            return
        parent = chosen(parents, pick)
        path = f"{parent.list_path}/{parent.highest + ahead}"
        value = {"name": "nobody", "body": "nothing"}
        answer = self.api.put(path, value) if edit else self.api.get(path)
        if not refused(answer, permitted=lambda: self.may_doubt(parent, far=ahead > 3)):
            assert_problem(answer, 404)

    @rule(pick=picks, query=st.text(ALPHABET, min_size=1, max_size=3), limit=st.integers(1, 20))
    def search(self, pick: int, query: str, limit: int) -> None:
        chat = self.a_chat(pick)
        if not chat:
            return
        page = self.api.get(f"{chat.list_path}/search", query=query, limit=limit)
        if refused(page, permitted=lambda: self.may_wait(chat)):
            return
        found: list[int] = []
        while True:
            assert page.status_code == 200, page.content
            found += [hit["message_number"] for hit in page.json()["results"]]
            assert all("<mark>" in hit["highlight"] for hit in page.json()["results"])
            if page.json()["next"] is None:
                break
            page = self.api.get(page.json()["next"])
        assert found == sorted(set(found), reverse=True)
        assert chat.open or set(found) <= chat.children.keys(), f"{chat} found {found}"
        for number, message in chat.children.items():
            if message.is_erased or self.is_found(message):
                assert (number in found) == (fold(query) in fold(message.text)), message

    # Editing.

    @rule(pick=picks, text=texts, patch=st.booleans())
    def edit(self, pick: int, text: str, patch: bool) -> None:
        self._edit(chosen(self.items(), pick), text, "PATCH" if patch else "PUT")

    @rule(pick=picks, text=texts)
    def edit_as_seen(self, pick: int, text: str) -> None:
        item = chosen(self.items(), pick)
        if self._read(item):
            assert item.etag
            self._edit(item, text, "PUT", item.etag)

    @rule(pick=picks, stale=picks, text=texts)
    def edit_as_seen_long_ago(self, pick: int, stale: int, text: str) -> None:
        item = chosen(self.items(), pick)
        if not self._read(item):
            return
        old = ['"77777"', *(tag for tag in item.by_etag if tag != item.etag)]
        headers = {"If-Match": old[stale % len(old)]}
        answer = self.api.put(item.path, {item.text_field: self._unique(text)}, **headers)
        assert_problem(answer, 409 if item.is_erased else 412)

    def _edit(self, item: Item, given: str, method: str, etag: str | None = None) -> None:
        text = self._unique(given)
        send = self.api.patch if method == "PATCH" else self.api.put
        headers = {"If-Match": etag} if etag else {}
        answer = send(item.path, {item.text_field: text}, **headers)
        if refused(answer, permitted=lambda: self.may_wait(item)):
            return
        if item.is_erased:
            assert_problem(answer, 409)
            return
        assert answer.status_code == 200, f"{item}: {answer.content}"
        assert answer.json()[item.text_field] == text
        assert answer.json()["created_at"] == item.shown["created_at"]
        item.learn(answer.json(), answer["ETag"])
        self.latest = item

    # Erasing.

    @rule(pick=picks, as_seen=st.booleans())
    def erase(self, pick: int, as_seen: bool) -> None:
        messages = [item for item in self.items() if item.holds is None]
        if not messages:
            return
        item = chosen(messages, pick)
        headers = {"If-Match": item.etag} if as_seen and item.etag else {}
        answer = self.api.delete(item.path, **headers)
        if refused(answer, permitted=lambda: self.may_wait(item)):
            return
        assert answer.status_code == 204, f"{item}: {answer.content}"
        shown = self.api.get(item.path)
        assert shown.status_code == 200, f"{item}: {shown.content}"
        assert shown.json()["body"] is None
        if not item.is_erased:
            item.learn(shown.json(), shown["ETag"])
        self.latest = item

    # What the installation does from time to time.

    @rule()
    def reconcile_counts(self) -> None:
        counts.reconcile()
        self.check_counts()

    def check_counts(self) -> None:
        """Of what is stored; called after the count job."""
        stored = is_stored()
        for parent in self.items():
            if parent.holds and stored(parent):
                final.check_count(self.api, parent, stored)

    # Always.

    @invariant()
    def what_was_written_last_is_shown(self) -> None:
        for item in self.watched():
            self._read(item)
        if self.latest and self.latest.parent:
            check_pages(self.api, self.latest.parent, {"limit": MOST}, self.may_wait)

    def teardown(self) -> None:
        """In the end everything is as promised; what has failed already is not looked at again."""
        if sys.exc_info()[0] is None:
            self.heal()
            final.check(self.api, self.known)

    def heal(self) -> None:
        """All services are there, and all that waits is done."""
        counts.reconcile()

    def items(self) -> list[Item]:
        """All created items, ordered by application and number."""
        return [item for application in self.known for item in application.family]

    def a_chat(self, pick: int) -> Item | None:
        """One of the chats; None if there is none yet."""
        chats = [item for item in self.items() if item.holds is MESSAGES]
        return chosen(chats, pick) if chats else None

    def _unique(self, text: str) -> str:
        """A text that was never used before and that trimming leaves unchanged."""
        self.said += 1
        return f"{self.said}{final.IN_ALL_TEXTS}{text}."
