"""Operators' tasks in the admin, done in a real browser."""

from datetime import UTC, datetime

import pytest
from selenium.webdriver.common.by import By

from tests.browser.site import Said, Site, new_chat
from tests.browser.window import Window
from tests.live.servers import eventually
from tests.pipeline.proxy import proxy_to, through

LONG = "The parcel was weighed, packed and handed over; here is what the carrier says. " * 60
BODIES = [
    "Good morning! Where is my order?",
    "It left the warehouse today 📦",
    "どうもありがとうございます。注文番号は 17 です。",
    "您好，我的订单在哪里？谢谢",
    "مرحبا، أين طلبي؟ رقم التتبع هو 12345، شكرا.",
    "שלום, ההזמנה שלי לא הגיעה (מספר 17).",
    "No spaces: " + "x" * 300,
    "Line one\n  indented line two\n\n<script>document.title = 'owned'</script>",
    LONG,
    "Is anybody there?",
]


@pytest.fixture
def chat(site: Site) -> Said:
    return new_chat(site, "Order 17: where is my parcel?", BODIES)


def test_lists_lead_from_an_application_to_its_messages(window: Window, chat: Said) -> None:
    window.open("/admin/")
    window.picture("admin-home")
    window.follow("Applications")
    window.fill("#searchbar", chat.token[:10])
    window.press("#changelist-search [type=submit]")
    window.picture("admin-applications")
    window.press("#result_list .field-chats a")
    window.reload_until("#result_list .field-short_name", [chat.name])
    window.press("#result_list .field-messages a")
    numbers = [str(number) for number in range(len(BODIES), 0, -1)]
    window.reload_until("#result_list .field-message_number", numbers)
    assert not window.is_too_wide()
    window.picture("admin-messages")


def test_a_conversation_is_read_in_order_and_folded(window: Window, chat: Said) -> None:
    eventually_stored(window, chat)

    shown = window.contents("#conversation li > .said")
    assert shown == [body for body in BODIES if body != LONG]
    assert not window.is_too_wide()
    assert window.driver.title != "owned"
    window.picture("admin-conversation")
    assert LONG.strip() not in window.page()
    window.click("details.long summary")
    assert LONG.strip() in window.page()


def test_a_conversation_is_walked_from_its_end_to_its_beginning(window: Window, site: Site) -> None:
    chat = new_chat(site, "A long one", [f"message {number}" for number in range(1, 121)])
    window.open(chat.address)
    seen = [window.contents("#conversation .said")]
    while window.texts(".paginator a[rel=prev]"):
        window.press(".paginator a[rel=prev]")
        seen.insert(0, window.contents("#conversation .said"))

    assert [text for page in seen for text in page] == [f"message {n}" for n in range(1, 121)]


def test_an_open_conversation_goes_on_by_itself(window: Window, site: Site, chat: Said) -> None:
    eventually_stored(window, chat)
    window.wait(lambda _: "by themselves" in window.see("#live").text, "the stream is open")
    window.driver.execute_script("window.isSamePage = true")
    window.click("details.long summary")
    path = f"/applications/{chat.token}/chats/1/messages"
    hostile = "<img src=x onerror=alert(1)>\nnew"

    def shown(css: str) -> str:
        return "".join(window.contents(css))

    with site.api() as api:
        assert api.post(path, json={"body": hostile}).status_code == 201
        window.wait(lambda _: hostile in shown(f"#m{len(BODIES) + 1}"), "the new message")
        assert api.patch(f"{path}/1", json={"body": "Good evening!"}).status_code == 200
        window.wait(lambda _: "Good evening!" in shown("#m1 .said"), "the edit")
        assert api.delete(f"{path}/2").status_code == 204
        window.wait(lambda _: "erased" in shown("#m2 .meta"), "the erasure")

    assert "edited" in shown("#m1 .meta")
    assert not window.texts("#m2 .said")
    items = window.driver.find_elements(By.CSS_SELECTOR, "#conversation li")
    assert [one.get_attribute("id") for one in items] == [
        f"m{number}" for number in range(1, len(BODIES) + 2)
    ]
    assert LONG.strip() in window.page()
    assert window.driver.execute_script("return window.isSamePage") is True


def test_an_open_conversation_misses_nothing_while_it_is_cut_off(
    window: Window, site: Site
) -> None:
    chat = new_chat(site, "An empty one", [])
    window.requests()
    with proxy_to(site.url) as proxy:
        near = Window(window.driver, through(proxy, site.url))
        near.open(chat.address)
        near.wait(lambda _: "by themselves" in near.see("#live").text, "the stream is open")
        assert near.texts("#conversation .empty") == ["This chat has no messages."]
        proxy.close()
        near.wait(lambda _: "connecting again" in near.see("#live").text, "the stream is cut")
        with site.api() as api:
            many = [{"body": f"message {number}"} for number in range(1, 61)]
            path = f"/applications/{chat.token}/chats/1/messages/bulk"
            assert api.post(path, json={"messages": many}).status_code == 201
        proxy.open()
        expected = [one["body"] for one in many]
        near.wait(lambda _: near.contents("#conversation .said") == expected, "all messages")
        near.leave()
        assert not [one for one in near.complaints() if "net::ERR_" not in one]
        assert not [address for address in near.requests() if near.is_elsewhere(address)]


def test_a_search_marks_its_hits_and_leads_to_their_place(window: Window, chat: Said) -> None:
    window.open(chat.address)

    def found(text: str) -> list[str]:
        window.fill("#query", text)
        window.press("#toolbar [type=submit]")
        return window.texts("#hits mark")

    eventually(lambda: found("ORDER") == ["order"], 60, "it is found")
    window.picture("admin-search")
    assert found("りがと") == ["りがと"]
    assert found("أين") == ["أين"]
    window.press("#hits .meta a")
    assert "أين" in window.see("#conversation li:target").text
    assert found("nowhere at all") == []
    assert window.texts("#hits .empty") == ["No message of this chat contains this text."]


def test_an_edited_message_is_what_the_api_shows(window: Window, site: Site, chat: Said) -> None:
    eventually_stored(window, chat)
    window.see("#conversation .meta a").click()
    window.fill("#id_body", "Good evening!\nשלום")
    window.picture("admin-message")
    window.press("[name=_save]")
    window.see(".messagelist .success")

    with site.api() as api:
        path = f"/applications/{chat.token}/chats/1/messages/1"
        assert api.get(path).json()["body"] == "Good evening!\nשלום"
    window.open(chat.address)
    assert "edited" in window.see("#m1 .meta").text


def test_a_dead_letter_is_read_and_replayed(window: Window, site: Site, chat: Said) -> None:
    site.set_aside(chat.token, 5)
    window.open(f"/admin/ingest/deadletter/?q={chat.token}")
    assert len(window.texts("#result_list tbody tr")) == 1
    window.picture("admin-dead-letters")
    window.press("#result_list tbody th a")
    assert BODIES[4] in window.see(".field-holds").text
    assert "Traceback" in window.see(".field-trace").text
    window.picture("admin-dead-letter")
    window.press("[value=replay]")

    assert window.texts(".messagelist li") == [f"Replayed: messages {chat.token}/1/5"]
    with site.api() as api:
        path = f"/applications/{chat.token}/chats/1/messages/5"
        assert api.get(path).json()["body"] == BODIES[4]


def test_a_dead_letter_is_discarded_after_a_question(
    window: Window, site: Site, chat: Said
) -> None:
    site.set_aside(chat.token, len(BODIES))
    window.open(f"/admin/ingest/deadletter/?q={chat.token}")
    window.click("#result_list .action-select")
    window.choose("select[name=action]", "discard")
    window.press(".actions button")
    window.press("#content [type=submit]")

    assert window.texts(".messagelist li") == [f"Discarded: messages {chat.token}/1/{len(BODIES)}"]
    assert window.texts("#result_list tbody tr") == []


def test_a_key_is_replaced_and_seen_once(window: Window, site: Site, chat: Said) -> None:
    window.open(f"/admin/applications/application/?q={chat.token}")
    window.press("#result_list .field-token a")
    window.press("[value=replace_keys]")
    assert "stop working at once" in window.page()
    window.picture("admin-replace-key")
    window.press("#content [type=submit]")
    [key] = window.texts(".new-keys code")
    window.picture("admin-new-key")

    assert len(key) == 64
    with site.api() as api:
        path, bearer = f"/applications/{chat.token}", {"Authorization": f"Bearer {key}"}
        assert api.get(path, headers=bearer).status_code == 200
    window.driver.back()
    assert key not in window.driver.page_source
    window.open(f"/admin/applications/application/?q={chat.token}")
    assert key not in window.driver.page_source


def test_a_first_key_is_on_one_page_which_loaded_again_adds_nothing(window: Window) -> None:
    name = f"Acme {datetime.now(UTC):%H:%M:%S.%f}"
    window.open("/admin/applications/application/add/")
    window.fill("#id_name", name)
    window.press("[name=_save]")
    [key] = window.texts(".new-keys code")
    assert len(key) == 64
    assert key not in str(window.driver.get_cookies()) + window.driver.current_url

    window.driver.refresh()

    assert "nothing is added twice" in window.see(".messagelist .error").text
    assert key not in window.driver.page_source
    window.open("/admin/applications/application/")
    assert window.texts("#result_list .field-short_name").count(name) == 1


def test_a_dashboard_whose_session_has_ended_leads_to_the_login(window: Window) -> None:
    window.open("/admin/dashboard/")
    window.see("#freshness")
    window.driver.delete_all_cookies()

    window.see("#id_password")
    assert "next=/admin/dashboard/" in window.driver.current_url


def test_an_operator_gets_a_key_that_is_revoked_again(window: Window) -> None:
    name = f"Ann {datetime.now(UTC):%H:%M:%S.%f}"
    window.open("/admin/applications/operatorkey/add/")
    window.fill("#id_name", name)
    window.press("[name=_save]")
    [key] = window.texts(".new-keys code")
    assert len(key) == 64
    window.follow("Back to the list")
    assert key not in window.driver.page_source
    window.click("#result_list tbody tr:first-child .action-select")
    window.choose("select[name=action]", "revoke")
    window.press(".actions button")
    window.press("#content [type=submit]")

    assert window.texts(".messagelist li") == [f"Revoked: {name}"]
    window.open("/admin/admin/logentry/")
    assert name in window.see("#result_list tbody tr:first-child").text
    window.picture("admin-log")


def test_an_empty_list_says_so(window: Window) -> None:
    window.open(f"/admin/messages_app/message/?q={'0' * 24}")

    assert "No messages found." in window.page()


def eventually_stored(window: Window, chat: Said) -> None:
    """Until no message of the conversation is pending."""

    def is_stored() -> bool:
        window.open(chat.address)
        return not window.contents("#conversation .pending")

    eventually(is_stored, 60, "all messages are stored")
