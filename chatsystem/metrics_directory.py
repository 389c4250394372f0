"""Where the processes of this installation count together; called first by each that stays."""

import os

from django.conf import settings

from infra import prometheus_multiprocess


def use_shared_directory() -> None:
    """Name the directory to this process and to its children, before any metric is defined."""
    given = settings.ENVIRONMENT.prometheus_multiproc_dir
    os.environ[prometheus_multiprocess.VARIABLE] = given or str(settings.VAR_DIR / "metrics")
