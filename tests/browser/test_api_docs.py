"""The API's documentation pages in a real browser render and work with the site's files alone."""

from tests.browser.site import Site
from tests.browser.window import Window

CREATE = "#operations-applications-applications_create"


def test_the_description_of_the_api_is_drawn(window: Window, site: Site) -> None:
    window.requests()
    window.open("/api/v1/docs")

    window.see(".opblock-summary-post")
    assert len(window.texts(".opblock")) > 10
    asked = window.requests()
    assert f"{site.url}/api/v1/schema" in [address.rstrip("/") for address in asked]
    assert any(address.endswith(".css") for address in asked)
    assert not [address for address in asked if window.is_elsewhere(address)]
    window.picture("api-docs")


def test_a_request_is_tried_out(window: Window, site: Site) -> None:
    window.open("/api/v1/docs")
    window.click(f"{CREATE} .opblock-summary-control")
    window.click(f"{CREATE} .try-out__btn")
    window.fill(f"{CREATE} textarea.body-param__text", '{"name": "Tried out"}')
    window.requests()
    window.click(f"{CREATE} .execute")

    answer = window.see(f"{CREATE} .live-responses-table")
    assert "201" in answer.text
    assert '"name": "Tried out"' in answer.text
    assert window.requests() == [f"{site.url}/api/v1/applications"]
