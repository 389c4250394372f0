"""The length of the machine's runs: short by default, long if HYPOTHESIS_PROFILE says so."""

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

# The same examples each time: a change is not to fail for what it has nothing to do with.
settings.register_profile(
    "model",
    max_examples=10,
    stateful_step_count=25,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    deadline=None,
    suppress_health_check=_SLOW,
)
settings.register_profile(
    "thorough",
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=_SLOW,
    print_blob=True,
    report_multiple_bugs=False,
)


def profile() -> settings:
    """The one that was asked for."""
    return settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "model"))
