"""What README.md and docs/api.md show of the embedded profile is what happens."""

from pathlib import Path

import pytest

from tests.docs.console import assert_goes_as_shown, steps_of
from tests.live.servers import MakeRun

pytestmark = pytest.mark.embedded


@pytest.mark.parametrize(
    ("page", "variables"),
    [
        ("README.md", {}),
        ("docs/api.md", {"REQUIRE_KEYS": "1", "RATE_LIMIT": "100/s"}),
    ],
)
def test_the_session_goes_as_shown(page: str, variables: dict[str, str], checkout: Path) -> None:
    with MakeRun(checkout, **variables) as running:
        assert_goes_as_shown(
            steps_of(page), folder=checkout, environment=running.environment, url=running.url
        )
