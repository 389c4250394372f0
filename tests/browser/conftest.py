"""A real browser for a session, a real server, and an operator who is logged in.

Tests use `window`, which is at the admin's first page. A test fails if the browser reports an error
or requests anything outside the site. With `--pictures FOLDER` tests save screenshots there.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import chromium, require_chromium
from tests.browser.demo import BODIES, Pair, two_windows
from tests.browser.site import PASSWORD, Said, Site, new_chat
from tests.browser.window import Window
from tests.live.servers import EmbeddedServer, stack_url


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """The browser."""
    require_chromium()
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    """A real server: the local stack where it is up, else one of the embedded profile."""
    if "BASE_URL" in os.environ:
        return Site(stack_url(), os.environ)
    server: EmbeddedServer = request.getfixturevalue("embedded")
    return Site(server.url, server.environment)


@pytest.fixture(scope="session")
def logged_in(driver: Chrome, site: Site) -> list[dict[str, Any]]:
    """The cookies of a superuser of that server, who has logged in once for all tests."""
    Window(driver, site.url).log_in(site.new_operator(), PASSWORD)
    return driver.get_cookies()


@pytest.fixture
def window(
    request: pytest.FixtureRequest, driver: Chrome, site: Site, logged_in: list[dict[str, Any]]
) -> Iterator[Window]:
    """The browser's window, in which the operator has logged in and nothing else was done."""
    folder: Path | None = request.config.getoption("--pictures")
    window = Window(driver, site.url, folder)
    window.open("/health/live")  # a cookie is given to the site that is open
    driver.delete_all_cookies()
    for cookie in logged_in:
        driver.add_cookie(cookie)
    window.open("/admin/")
    window.see("#user-tools")
    yield window
    window.leave()
    assert window.complaints() == []
    assert not [address for address in window.requests() if window.is_elsewhere(address)]


@pytest.fixture
def said(site: Site) -> Said:
    """A chat for the demo."""
    return new_chat(site, "Order 17", BODIES)


@pytest.fixture
def pair(window: Window, site: Site, said: Said) -> Iterator[Pair]:
    """Two windows of the demo at this chat."""
    with two_windows(window, site, said) as pair:
        yield pair
