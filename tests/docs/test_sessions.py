"""The sessions of the embedded profile in README.md and docs show the real output."""

from pathlib import Path

import pytest

from tests.docs.console import assert_goes_as_shown, steps_of
from tests.live.servers import EmbeddedServer, MakeRun

pytestmark = pytest.mark.costly


def test_the_session_of_the_readme_goes_as_shown(checkout: Path) -> None:
    with MakeRun(checkout) as running:
        assert_shown("README.md", running, checkout)


def test_the_session_of_the_api_goes_as_shown(checkout: Path, migrated: Path) -> None:
    settings = {"REQUIRE_KEYS": "1", "RATE_LIMIT": "100/s"}
    with EmbeddedServer(checkout, migrated, **settings) as running:
        assert_shown("docs/api.md", running, checkout)


def test_the_session_of_events_goes_as_shown(checkout: Path, migrated: Path) -> None:
    with EmbeddedServer(checkout, migrated) as running:
        assert_shown("docs/events.md", running, checkout)


def test_the_session_of_webhooks_goes_as_shown(checkout: Path, migrated: Path) -> None:
    with EmbeddedServer(checkout, migrated) as running:
        assert_shown("docs/webhooks.md", running, checkout)


def assert_shown(page: str, running: EmbeddedServer, checkout: Path) -> None:
    """Run the page's commands against this server."""
    assert_goes_as_shown(
        steps_of(page), folder=checkout, environment=running.environment, url=running.url
    )
