"""The demo in a real browser, in two windows: each shows at once what the other does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver.common.by import By

from tests.browser.demo import BODIES, Pair, act, await_texts, opened, write
from tests.browser.site import Site, new_chat
from tests.browser.window import Window
from tests.live.servers import NO_TLS, EmbeddedServer, eventually, manage

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
WIDE, NARROW = (1000, 800), (390, 844)

_NOTE_THE_SENDING = """
window.sentAt = 0;
document.getElementById("write-form").addEventListener("submit", () => {
  window.sentAt = Date.now();
}, { capture: true });
"""
_NOTE_THE_SIGHT = """
window.seenAt = 0;
const list = document.getElementById("messages");
new MutationObserver(() => {
  if (list.lastElementChild?.querySelector(".text").textContent === arguments[0]) {
    window.seenAt ||= Date.now();
  }
}).observe(list, { childList: true, subtree: true, characterData: true });
"""
_CONTAINS = """
const texts = [location.href, document.cookie];
for (const store of [localStorage, sessionStorage]) texts.push(JSON.stringify(store));
return texts.join().includes(arguments[0]);
"""


def test_a_message_written_in_one_window_is_in_the_other_at_once(
    pair: Pair, record_property: Any
) -> None:
    text = "It is here: thank you!"
    pair.right().driver.execute_script(_NOTE_THE_SIGHT, text)
    left = pair.left()
    left.driver.execute_script(_NOTE_THE_SENDING)
    left.fill("#sender", "Ann")
    write(left, text)
    sent = left.wait(lambda driver: driver.execute_script("return window.sentAt"), "it is sent")

    right = pair.right()
    seen = right.wait(lambda driver: driver.execute_script("return window.seenAt"), text)
    record_property("milliseconds", seen - sent)
    print(f"a message is in the other window after {seen - sent} ms")  # noqa: T201
    await_texts(right, [*BODIES, text])
    assert right.texts("#messages .sender")[-1] == "Ann"
    with right.sized(*WIDE):
        right.picture("demo")


def test_an_edit_and_an_erasure_are_in_the_other_window(pair: Pair) -> None:
    left = pair.left()
    act(left, 1, "edit")
    left.fill("#edit-body", "Good evening!")
    left.click("#edit-dialog form button")
    await_texts(pair.right(), ["Good evening!", *BODIES[1:]])
    assert pair.right().texts("#messages .state") == ["edited", "", ""]

    left = pair.left()
    act(left, 3, "erase")
    left.click("#erase-dialog form button")
    right = pair.right()
    await_texts(right, ["Good evening!", BODIES[1], ""])
    assert right.texts("#messages .state") == ["edited", "", "erased"]
    assert right.texts("#messages .edit")[2] == ""


def test_an_edit_of_what_somebody_else_changed_meanwhile_overwrites_nothing(
    pair: Pair, site: Site
) -> None:
    left = pair.left()
    act(left, 1, "edit")
    left.see("#edit-dialog")
    with site.api() as api:
        path = f"/applications/{pair.said.token}/chats/1/messages/1"
        assert api.patch(path, json={"body": "Hello!"}).status_code == 200
    left.fill("#edit-body", "Good evening!")
    left.click("#edit-dialog form button")

    assert "read it again" in left.see("#edit-problem").text
    assert "412" in " ".join(left.complaints())
    left.click("#edit-dialog .cancel")
    await_texts(left, ["Hello!", *BODIES[1:]])


def test_texts_of_others_are_shown_as_text(pair: Pair, site: Site) -> None:
    with site.api() as api:
        chat = f"/applications/{pair.said.token}/chats/1"
        made = api.post(f"{chat}/messages", json={"body": HOSTILE, "sender": HOSTILE})
        assert made.status_code == 201
        assert api.patch(chat, json={"name": HOSTILE}).status_code == 200
    for window in pair.both():
        await_texts(window, [*BODIES, HOSTILE])
        assert window.texts("#messages .sender")[-1] == HOSTILE
        window.wait(lambda driver: driver.find_element(By.ID, "title").text == HOSTILE, HOSTILE)
        assert window.driver.title == "Chat system demo"
        assert not window.driver.find_elements(By.CSS_SELECTOR, "main img, main script")


def test_a_search_marks_its_hits(pair: Pair) -> None:
    left = pair.left()

    def found(text: str) -> list[str]:
        left.fill("#query", text)
        left.click("#search-form button")
        left.see("#count")
        return left.contents("#hits mark")

    eventually(lambda: found("ORDER") == ["order"], 60, "it is found")
    with left.sized(*WIDE):
        left.picture("demo-search")
    write(left, HOSTILE)
    eventually(lambda: found("<SCRIPT>") == ["<script>"], 60, "it is found")
    assert left.contents("#hits .text") == [HOSTILE]
    assert left.driver.title == "Chat system demo"
    left.click("#close-search")
    assert not left.driver.find_element(By.ID, "found").is_displayed()


def test_all_is_made_in_the_page_and_fits_a_phone(window: Window, site: Site) -> None:
    with window.sized(*NARROW):
        window.open("/demo/")
        window.fill("#application-name", "Bäckerei Sonnenschein 🥐")
        window.click("#application-form button")
        window.see("#chat-form")
        window.fill("#chat-name", "Order 17")
        window.click("#chat-form button")
        window.see("#write-form")
        write(window, BODIES[0])
        await_texts(window, BODIES[:1])
        window.see("#stream.is-live")
        window.picture("demo-narrow")
        write(window, "No spaces: " + "y" * 300)
        await_texts(window, [BODIES[0], "No spaces: " + "y" * 300])
        assert not window.is_too_wide()
        token, _, number = window.driver.current_url.partition("#")[2].partition("/")
        with site.api() as api:
            read = api.get(f"/applications/{token}/chats/{number}/messages").json()
    assert [one["body"][:4] for one in read["results"]] == ["Good", "No s"]


def test_older_messages_come_on_request(window: Window, site: Site) -> None:
    said = new_chat(site, "A long one", [f"message {number}" for number in range(1, 121)])
    opened(window, f"#{said.token}/1")
    await_texts(window, [f"message {number}" for number in range(71, 121)])
    window.driver.execute_script("return load()")  # as when the stream begins later than that
    await_texts(window, [f"message {number}" for number in range(71, 121)])
    window.click("#earlier")
    await_texts(window, [f"message {number}" for number in range(21, 121)])
    window.click("#earlier")
    await_texts(window, [f"message {number}" for number in range(1, 121)])
    assert not window.driver.find_element(By.ID, "earlier").is_displayed()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[EmbeddedServer]:
    """A server that requires keys."""
    folder = tmp_path_factory.mktemp("locked")
    with EmbeddedServer(folder, migrated, REQUIRE_KEYS="1") as server:
        yield server


def test_where_keys_are_required_the_page_keeps_the_key_to_itself(
    window: Window, locked: EmbeddedServer
) -> None:
    made = manage("operator_key", "ops", environment=locked.environment).stdout.split()[-1]
    headers = {"Authorization": f"Bearer {made}"}
    with httpx.Client(base_url=f"{locked.url}/api/v1", headers=headers, verify=NO_TLS) as operator:
        acme = operator.post("/applications", json={"name": "Acme"}).json()
    token, key = acme["token"], acme["key"]
    page = Window(window.driver, locked.url, window.pictures)
    page.requests()
    page.open("/demo/")
    page.fill("#token", token)
    page.fill("#key", "0" * 64)
    page.click("#key-form button")
    assert page.see("#problem").text == "The key is not valid."
    assert "401" in " ".join(page.complaints())

    page.fill("#key", key)
    page.picture("demo-key")
    page.click("#key-form button")
    page.see("#chat-form")
    page.fill("#chat-name", "Order 17")
    page.click("#chat-form button")
    page.see("#write-form")
    write(page, "Good morning!")
    await_texts(page, ["Good morning!"])
    page.see("#stream.is-live")

    assert page.complaints() == []
    asked = page.requests()
    assert any("/stream?access_token=" in address for address in asked)
    assert not [address for address in asked if key in address or page.is_elsewhere(address)]
    assert page.see("#key").get_attribute("value") == ""
    assert page.driver.execute_script(_CONTAINS, key) is False
    page.leave()
