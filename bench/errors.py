"""What ends a measurement."""


class BenchError(Exception):
    """It cannot be measured, or what was measured is not true; the message says why."""
