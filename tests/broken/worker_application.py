"""The Celery application of a test's worker, running the variant that `VARIANT` names."""

import os
from importlib import import_module
from typing import Any

import pytest
from celery.signals import worker_init

from tests.pipeline.worker_application import app

__all__ = ["app"]


@worker_init.connect
def break_it(**_: Any) -> None:
    """Before the first message is taken; the pool's processes inherit it."""
    variants = import_module("tests.broken.variants")
    variants.VARIANTS[os.environ["VARIANT"]](pytest.MonkeyPatch())
