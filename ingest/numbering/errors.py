"""Why no number was given, and whether anything was done by then."""


class NoNumbers(Exception):
    """A call of Redis gave no numbers."""


class NumbersUnavailable(NoNumbers):
    """Nothing was done: Redis cannot be reached, or it refused."""


class Unanswered(NoNumbers):
    """The call was sent, and no usable answer came: it may have been done."""


class Untrusted(NoNumbers):
    """Nothing was done: this may not be the Redis that holds the leases."""


class Moving(NoNumbers):
    """Nothing was done: the keys are moving to another server of the cluster just now."""


class UnderExamination(NoNumbers):
    """Nothing was done: it is not decided yet whether this Redis holds the leases."""


class AuthorityChanged(NoNumbers):
    """Nothing was done: the source or the epoch of numbers has changed; read the row again."""
