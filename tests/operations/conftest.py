"""The test's client is an operator, whatever services a test adds."""

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def operator(no_queue: None, settings: Settings) -> None:
    """Make this machine's client an operator, who sees everything."""
    here = {"operator_networks": "127.0.0.1", "metrics_token": ""}
    settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update=here)
