"""The directory in which all processes of a host count; long-lived processes set it first."""

import os

from django.conf import settings

from infra import prometheus_multiprocess


def use_shared_directory() -> None:
    """Set the directory for this process and its children, before any metric is defined."""
    given = settings.ENVIRONMENT.prometheus_multiproc_dir
    os.environ[prometheus_multiprocess.VARIABLE] = given or str(settings.VAR_DIR / "metrics")
