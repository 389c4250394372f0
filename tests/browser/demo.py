"""The demo's page in two windows of one browser, and what tests do there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.site import Said, Site
from tests.browser.window import Window
from tests.pipeline.proxy import Proxy, proxy_to, through

BODIES = [
    "Good morning! Where is my order?",
    "It left the warehouse today 📦",
    "どうもありがとうございます。",
]


@dataclass(frozen=True)
class Pair:
    """Two windows of one browser at a chat, and the way between them and the server."""

    window: Window
    handles: tuple[str, str]
    proxy: Proxy
    said: Said

    def left(self) -> Window:
        """The first window; the driver goes on there."""
        return self._at(self.handles[0])

    def right(self) -> Window:
        """The second one."""
        return self._at(self.handles[1])

    def both(self) -> Iterator[Window]:
        """One after the other."""
        yield self.left()
        yield self.right()

    def _at(self, handle: str) -> Window:
        self.window.driver.switch_to.window(handle)
        return self.window


def opened(window: Window, path: str) -> None:
    """Open a chat, until its stream is open."""
    window.open(f"/demo/{path}")
    window.see("#stream.is-live")


@contextmanager
def two_windows(window: Window, site: Site, said: Said) -> Iterator[Pair]:
    """Both at this chat; the second one is closed at the end."""
    driver = window.driver
    with proxy_to(site.url) as proxy:
        near = Window(driver, through(proxy, site.url), window.pictures)
        first = driver.current_window_handle
        window.requests()
        opened(near, f"#{said.token}/1")
        driver.switch_to.new_window("window")
        second = driver.current_window_handle
        try:
            opened(near, f"#{said.token}/1")
            pair = Pair(near, (first, second), proxy, said)
            for shown in pair.both():
                await_texts(shown, [*BODIES])
            yield pair
            assert near.complaints() == []
            assert not [address for address in near.requests() if near.is_elsewhere(address)]
        finally:
            driver.switch_to.window(second)
            driver.close()
            driver.switch_to.window(first)
            near.leave()


def await_texts(window: Window, texts: list[str]) -> None:
    """Until the window shows exactly these messages, in this order."""
    window.wait(lambda _: window.contents("#messages .text") == texts, f"{texts}")


def is_cut(driver: Chrome) -> bool:
    """Whether the page says that its stream is not open."""
    return not driver.find_elements(By.CSS_SELECTOR, "#stream.is-live")


def write(window: Window, text: str) -> None:
    """Send a message as a person does."""
    window.fill("#body", text)
    window.see("#body").send_keys(Keys.ENTER)


def act(window: Window, number: int, name: str) -> None:
    """Press a button of a message."""
    window.click(f'#messages [data-number="{number}"] .{name}')
