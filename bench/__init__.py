"""Speed of this system beside other designs, on the services of the local stack.

`python -m bench --help` lists the measurements. The product does not import this package.
"""


class BenchError(Exception):
    """A measurement is impossible, or its result is wrong; the message says why."""
