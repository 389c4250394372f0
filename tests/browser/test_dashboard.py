"""The dashboard, drawn by a real browser from the samples of a real server."""

from collections.abc import Iterator

import pytest

from tests.browser.site import Site, new_chat
from tests.browser.window import Window
from tests.live.servers import eventually

#: A sample is taken, and asked for, every ten seconds; a line needs two.
DRAWN_S = 90


@pytest.fixture
def tall(window: Window) -> Iterator[Window]:
    """The same window, high enough for all of the page."""
    size = window.driver.get_window_size()
    window.driver.set_window_size(size["width"], 2400)
    yield window
    window.driver.set_window_size(size["width"], size["height"])


def test_plots_are_drawn_and_tables_filled(tall: Window, site: Site) -> None:
    tall.open("/admin/")
    tall.follow("Dashboard")
    tall.see("#plots .main-svg")
    first_plot = "#plot-0 .scatterlayer path.js-line"

    def rates_are_drawn() -> bool:
        new_chat(site, "Something to plot", [f"message {number}" for number in range(20)])
        return bool(tall.driver.find_elements("css selector", first_plot))

    eventually(rates_are_drawn, DRAWN_S, "the line of the rows that were accepted")

    assert "database" in tall.texts("#services td")
    assert "down" not in tall.texts("#services td")
    assert tall.texts("#schedule tr")
    assert tall.texts("#freshness")[0].startswith("As of")
    assert not tall.is_too_wide()
    tall.picture("admin-dashboard")
