"""What ends a case before it has a verdict."""


class ChaosError(Exception):
    """The stack could not be broken, healed or looked at; the message says why."""


class NotHere(ChaosError):
    """This fault cannot be made on this machine; the message says why."""
