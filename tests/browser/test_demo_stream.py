"""The demo's stream in a real browser: cut, refused, renewed, and behind what is kept."""

from itertools import count

from tests.browser.demo import BODIES, Pair, await_texts, is_cut, opened, write
from tests.browser.site import Said, Site
from tests.browser.window import Window
from tests.live.servers import eventually
from tests.streams.log import WITHIN, log

#: A page under this script lives its minutes in less than a second each.
_IN_A_HURRY = """
const later = window.setTimeout;
window.setTimeout = (action, ms, ...rest) => later(action, ms > 60000 ? ms / 300 : ms, ...rest);
"""
_REMOVE = """
from events.models import ApplicationEvent
events = ApplicationEvent.objects.filter(application_token={token!r})
events.filter(event_number__lt=events.latest("event_number").event_number).delete()
"""


def test_after_a_cut_nothing_is_missing_and_nothing_is_there_twice(pair: Pair, site: Site) -> None:
    expected = [*BODIES]
    for round_ in range(2):
        pair.proxy.close()
        for window in pair.both():
            window.wait(is_cut, "the stream is cut")
        with site.api() as api:
            path = f"/applications/{pair.said.token}/chats/1/messages"
            many = [{"body": f"{round_}: {number}"} for number in range(60)]
            assert api.post(f"{path}/bulk", json={"messages": many}).status_code == 201
            assert api.patch(f"{path}/1", json={"body": f"Hello {round_}"}).status_code == 200
        pair.proxy.open()
        expected = [f"Hello {round_}", *expected[1:], *(one["body"] for one in many)]
        for window in pair.both():
            window.see("#stream.is-live")
            await_texts(window, expected)

    # The browser says that it could not connect; nothing else is an error.
    assert [one for one in pair.window.complaints() if "net::ERR_" not in one] == []


def test_a_cut_stream_whose_page_is_used_on_is_renewed(pair: Pair) -> None:
    pair.proxy.cut()
    write(pair.left(), "still there")
    for window in pair.both():
        await_texts(window, [*BODIES, "still there"])
        window.see("#stream.is-live")
    assert [one for one in pair.window.complaints() if "net::ERR_" not in one] == []


def test_a_stream_whose_token_is_refused_goes_on_with_another(pair: Pair, site: Site) -> None:
    expected = [*BODIES]
    application = f"/applications/{pair.said.token}"
    with site.api() as api:
        for text in ("before any event", "after an event"):
            assert api.post(f"{application}/key").status_code == 200  # which ends all tokens
            for window in pair.both():
                window.wait(is_cut, "the stream is closed")
            made = api.post(f"{application}/chats/1/messages", json={"body": text})
            assert made.status_code == 201
            expected.append(text)
            for window in pair.both():
                window.see("#stream.is-live")
                await_texts(window, expected)

    refused = pair.window.complaints()
    assert refused
    assert [one for one in refused if "401" not in one] == []


def test_a_page_that_was_away_too_long_shows_everything_all_the_same(
    pair: Pair, site: Site
) -> None:
    pair.proxy.close()
    for window in pair.both():
        window.wait(is_cut, "the stream is cut")
    with site.api() as api:
        application = f"/applications/{pair.said.token}"
        path = f"{application}/chats/1/messages"
        for text in ("one", "two", "three"):
            assert api.post(path, json={"body": text}).status_code == 201
        assert api.patch(f"{path}/2", json={"body": "It has left."}).status_code == 200
        assert api.post(path, json={"body": "four"}).status_code == 201
        eventually(lambda: log(api, application)[-1]["message"]["body"] == "four", WITHIN, "stored")
    # All events but the last are removed.
    site.command("shell", "-v", "0", "-c", _REMOVE.format(token=pair.said.token))
    pair.proxy.open()
    expected = [BODIES[0], "It has left.", BODIES[2], "one", "two", "three", "four"]
    for window in pair.both():
        window.see("#stream.is-live")
        await_texts(window, expected)
    write(pair.left(), "five")
    for window in pair.both():
        await_texts(window, [*expected, "five"])
    assert [one for one in pair.window.complaints() if "net::ERR_" not in one] == []


def test_a_token_is_replaced_before_it_expires_and_nothing_is_missed(
    window: Window, site: Site, said: Said
) -> None:
    driver, expected = window.driver, [*BODIES]
    script = driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": _IN_A_HURRY}
    )
    try:
        window.requests()
        opened(window, f"#{said.token}/1")
        streams: list[str] = []
        with site.api() as api:
            path = f"/applications/{said.token}/chats/1/messages"
            for number in count():
                assert api.post(path, json={"body": f"{number}"}).status_code == 201
                expected.append(f"{number}")
                await_texts(window, expected)
                streams += [one for one in window.requests() if "/stream?" in one]
                if len(streams) > 3:
                    break
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)

    assert len(set(streams)) == len(streams)
    assert all("after=" in one for one in streams[1:])
