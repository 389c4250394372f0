"""A browser window used as a person would: every look and every click has a timeout."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import visibility_of
from selenium.webdriver.support.wait import WebDriverWait

#: At most so long for anything to be seen.
SEEN_S = 30
_ASKED_BY_ITSELF = "/favicon.ico"


@dataclass(frozen=True)
class Window:
    """Pages of one site; pictures of them go to a folder, if there is one."""

    driver: Chrome
    url: str
    pictures: Path | None = None

    def open(self, path: str) -> None:
        """Go to a page of the site."""
        self.driver.get(f"{self.url}{path}")

    def leave(self) -> None:
        """Go to an empty page: one with a stream would connect again after its server has ended."""
        self.driver.get("about:blank")

    def log_in(self, name: str, password: str) -> None:
        """As an operator does it."""
        self.open("/admin/")
        self.fill("#id_username", name)
        self.fill("#id_password", password)
        self.press("[type=submit]")
        self.see("#user-tools")

    def wait(self, condition: Callable[[Chrome], Any], what: str) -> Any:
        """The condition's value as soon as it is true."""
        # A script of the page may replace an element at any time.
        ignored = [StaleElementReferenceException]
        waiting = WebDriverWait(self.driver, SEEN_S, ignored_exceptions=ignored)
        return waiting.until(condition, f"not seen: {what}")

    def see(self, css: str) -> WebElement:
        """The first such element, once it is visible."""

        def visible(driver: Chrome) -> WebElement | bool:
            found = driver.find_elements(By.CSS_SELECTOR, css)
            return next((element for element in found if element.is_displayed()), False)

        element: WebElement = self.wait(visible, css)
        return element

    def texts(self, css: str) -> list[str]:
        """The current texts of these elements."""
        return [element.text for element in self.driver.find_elements(By.CSS_SELECTOR, css)]

    def contents(self, css: str) -> list[str]:
        """The texts of these elements at one moment; a script may replace them at any other."""
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
        return list(self.driver.execute_script(script, css))

    def reload_until(self, css: str, texts: list[str]) -> None:
        """Reload the page until these elements have these texts."""

        def shown(driver: Chrome) -> bool:
            if self.texts(css) == texts:
                return True
            driver.refresh()
            return False

        self.wait(shown, f"{css}: {texts}")

    def page(self) -> str:
        """The page's whole text."""
        return self.see("body").text

    def fill(self, css: str, text: str) -> None:
        """Replace the field's content."""
        field = self.see(css)
        field.clear()
        field.send_keys(text)

    def click(self, css: str) -> None:
        """Click an element that does not leave the page."""
        self.see(css).click()

    def press(self, css: str) -> None:
        """Click the element and wait for the next page."""
        self._leave_by(self.see(css))

    def follow(self, text: str) -> None:
        """Click the link with this text and wait for the next page."""
        link = self.wait(
            lambda driver: next(iter(driver.find_elements(By.LINK_TEXT, text)), None), text
        )
        self.wait(visibility_of(link), text)
        self._leave_by(link)

    def choose(self, css: str, value: str) -> None:
        """Select the option with this value."""
        self.click(f'{css} option[value="{value}"]')

    def picture(self, name: str) -> None:
        """Save a screenshot as NAME.png if pictures are wanted."""
        if self.pictures is not None:
            assert self.driver.save_screenshot(self.pictures / f"{name}.png")

    def complaints(self) -> list[str]:
        """The browser's errors since the last call: scripts, missing files."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [
            entry["message"]
            for entry in entries
            if entry["level"] == "SEVERE" and _ASKED_BY_ITSELF not in entry["message"]
        ]

    def requests(self) -> list[str]:
        """The browser's requests since the last call, to the site or elsewhere."""
        entries = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        events = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [one for one in events if one["method"] == "Network.requestWillBeSent"]
        return [one["params"]["request"]["url"] for one in sent]

    def is_elsewhere(self, address: str) -> bool:
        """Whether a request for this goes to another site; the browser's own pages are none."""
        goes_out = urlsplit(address).scheme in {"http", "https", "ws", "wss", "ftp"}
        return goes_out and not address.startswith(f"{self.url}/")

    @contextmanager
    def sized(self, width: int, height: int) -> Iterator[None]:
        """Give the window this inner size while the block runs."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def is_too_wide(self) -> bool:
        """Whether the page must be scrolled sideways."""
        script = "const e = document.documentElement; return e.scrollWidth > e.clientWidth"
        return bool(self.driver.execute_script(script))

    def _leave_by(self, element: WebElement) -> None:
        """Click on it; another document is there as a whole, which began at another time."""
        began = self.driver.execute_script("return performance.timeOrigin")
        script = "return document.readyState == 'complete' && performance.timeOrigin"
        element.click()
        # While one document gives way to the other the driver may not know which is asked.
        waiting = WebDriverWait(self.driver, SEEN_S, ignored_exceptions=[WebDriverException])
        waiting.until(
            lambda driver: driver.execute_script(script) not in (began, False), "the next page"
        )
