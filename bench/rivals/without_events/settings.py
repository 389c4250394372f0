"""The settings of this system, and one application more."""

from chatsystem.settings import *  # noqa: F403
from chatsystem.settings import INSTALLED_APPS as _OURS

INSTALLED_APPS = [*_OURS, "bench.rivals.without_events"]
