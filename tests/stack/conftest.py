"""A second stack, started once for these tests and removed afterwards."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.stack.instance import Instance


@pytest.fixture(scope="package")
def instance() -> Iterator[Instance]:
    """A stack with a state folder that the user of Elasticsearch can reach too."""
    parent = Path(mkdtemp(prefix="chatsystem-stack-", dir="/var/tmp"))
    parent.chmod(0o755)
    made = Instance(parent / "state")
    try:
        yield made
    finally:
        made.try_to("reset")
        shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def stack(instance: Instance) -> Instance:
    """The stack with every part running, whatever the test before has left."""
    instance.up()
    return instance
