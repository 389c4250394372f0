"""What an error of a service means for the work that met it."""

from enum import Enum, auto


class Meaning(Enum):
    """What became of the work, and whose fault it is."""

    #: Nothing was done: the service is away, or refuses for now. The same work may go another way.
    NOT_DONE = auto()
    #: It may have been done, and nobody knows. It is repeated only where a repeat does no harm.
    OPEN = auto()
    #: Nothing was done, and never will be: these values cannot be stored. Other rows can.
    ROW_AT_FAULT = auto()
    #: Nothing was done, and a repeat changes nothing: this program asked for nonsense.
    DEFECT = auto()
