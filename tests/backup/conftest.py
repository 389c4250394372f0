"""The stack's MariaDB and Elasticsearch, a Redis for each test, and data to lose."""

from pathlib import Path

import pytest
from django.conf import settings

from tests.api.client import Api
from tests.backup.procedure import Procedure, prepare
from tests.backup.story import Story
from tests.pipeline.backlog import Backlog
from tests.pipeline.conftest import backlog
from tests.search.conftest import elasticsearch, index, no_index, way
from tests.search.index import SearchIndex

__all__ = ["backlog", "elasticsearch", "index", "no_index", "way"]


@pytest.fixture
def story(api: Api, backlog: Backlog, index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> Story:
    """Begun; with leases so short that a backup knows of none of the numbers that follow it."""
    monkeypatch.setattr("ingest.numbering.leases.LEASE_SECONDS", 0)
    # Commands in this process need not wait for a worker: there is none.
    monkeypatch.setattr("operations.restore.WORKER_HOLDS_SECONDS", 0)
    monkeypatch.setattr("operations.audit.checks.WORKER_HOLDS_SECONDS", 0)
    story = Story(api, backlog)
    story.begin()
    return story


@pytest.fixture
def procedure(story: Story, tmp_path: Path) -> Procedure:
    """The page's commands, on what this process uses."""
    folder = tmp_path / "operator"
    folder.mkdir()
    return prepare(folder, story.backlog.server.folder, settings.ENVIRONMENT)
