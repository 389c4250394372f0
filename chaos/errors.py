"""Errors that end a case before its verdict."""


class ChaosError(Exception):
    """The stack could not be broken, healed or inspected; the message says why."""


class NotHere(ChaosError):
    """This machine cannot inject the fault; the message says why."""
