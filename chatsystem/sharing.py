"""Where the processes of this installation count together; called first by each that stays."""

import os

from django.conf import settings

from core import counter_files


def share_counters() -> None:
    """Name the directory to this process and to its children, before any metric is defined."""
    given = settings.ENVIRONMENT.prometheus_multiproc_dir
    os.environ[counter_files.VARIABLE] = given or str(settings.VAR_DIR / "metrics")
