"""The dashboard in a real browser, drawn from a real server's samples."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.browser.site import Site, new_chat
from tests.browser.window import Window
from tests.live.servers import eventually

#: A sample is taken, and asked for, every ten seconds; a line needs two.
DRAWN_S = 90
WIDE = (1200, 1850)
NARROW = (390, 3220)

_RANGES = """
return [...document.querySelectorAll(".plot")].map(
  ({ _fullLayout: { xaxis, yaxis } }) => ({ x: xaxis.range, y: yaxis.range }));
"""
#: Pairs of labels of one plot that are drawn over each other, and those that stick out of it.
_CLASHES = """
const words = ".xtick text, .ytick text, .legendtext";
return [...document.querySelectorAll(".plot")].flatMap((plot) => {
  const edge = plot.getBoundingClientRect();
  const boxes = [...plot.querySelectorAll(words)].map(
    (word) => ({ text: word.textContent, ...word.getBoundingClientRect().toJSON() }));
  const cut = boxes.filter((box) => box.left < edge.left || box.right > edge.right ||
    box.top < edge.top || box.bottom > edge.bottom).map((box) => `cut: ${box.text}`);
  const over = boxes.flatMap((one, number) => boxes.slice(number + 1).filter((other) =>
    one.left < other.right && other.left < one.right &&
    one.top < other.bottom && other.top < one.bottom
  ).map((other) => `${one.text} over ${other.text}`));
  return [...cut, ...over];
});
"""


@pytest.fixture(scope="module")
def told(site: Site) -> Iterator[None]:
    """There are samples of an hour in which things happened, and a count job has run."""
    new_chat(site, "Something to count", ["Good morning!"])
    site.tell_an_hour()
    yield
    site.forget_samples()


def script(window: Window, text: str) -> Any:
    return window.driver.execute_script(text)


def test_what_the_site_does_is_drawn(window: Window, site: Site) -> None:
    window.open("/admin/")
    window.follow("Dashboard")
    window.see("#plots .main-svg")
    first_plot = "#plot-0 .scatterlayer path.js-line"

    def rates_are_drawn() -> bool:
        new_chat(site, "Something to plot", [f"message {number}" for number in range(20)])
        return bool(window.driver.find_elements("css selector", first_plot))

    eventually(rates_are_drawn, DRAWN_S, "the line of accepted rows", every=2)

    assert "database" in window.texts("#services td")
    assert "down" not in window.texts("#services td")
    assert window.texts("#schedule tr")
    assert window.texts("#freshness")[0].startswith("As of")
    for shown in script(window, _RANGES):
        begin, end = map(datetime.fromisoformat, shown["x"])
        assert end - begin == timedelta(hours=1)
        assert shown["y"][0] == 0


@pytest.mark.parametrize(
    ("size", "picture"), [(WIDE, "admin-dashboard"), (NARROW, "admin-dashboard-narrow")]
)
def test_an_hour_is_legible_on_any_screen(
    window: Window, told: None, size: tuple[int, int], picture: str
) -> None:
    with window.sized(*size):
        window.open("/admin/dashboard/")
        window.see("#plot-7 .main-svg")
        window.picture(picture)

        assert script(window, _CLASHES) == []
        assert not window.is_too_wide()
        assert window.texts("#count_job td")
        # In two pieces: the web servers stood still for a while.
        assert len(window.texts("#plot-0 .trace:first-child path.js-line")) == 2
