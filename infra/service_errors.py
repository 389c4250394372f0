"""What an error of Redis, RabbitMQ, MariaDB or MySQL means, from the servers' own lists of errors.

An unknown error counts as OPEN and is logged: the work waits or is answered with 503, and nothing
is lost.
"""

import re
from enum import Enum, auto

import redis
from amqp.exceptions import AMQPError, MessageNacked
from django.db import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from kombu.exceptions import KombuError
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
    TryAgainError,
)

from infra.logs import Event, get_logger

logger = get_logger(__name__)


class Meaning(Enum):
    """The effect of a failed call, and its cause."""

    #: Nothing was done: the service is unavailable or refuses for now. Another way may be tried.
    NOT_DONE = auto()
    #: It may have been done. It is repeated only if a repeat does no harm.
    OPEN = auto()
    #: Nothing was done: these values cannot be stored. Other rows can.
    ROW_AT_FAULT = auto()
    #: Nothing was done, and a repeat does not help: the call is a defect of this program.
    DEFECT = auto()


# --- Redis ------------------------------------------------------------------------------------

#: The server refuses before it starts: no access, not ready, not the server of this key.
_REDIS_REFUSES = {
    "ASK", "BUSY", "CLUSTERDOWN", "DENIED", "EXECABORT", "FAILOVER", "INPROG", "LOADING",
    "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOMASTERLINK", "NOPERM", "NOREPLICAS",
    "NOSCRIPT", "OOM", "READONLY", "REDIRECT", "TRYAGAIN", "WRONGPASS",
}  # fmt: skip
#: Errors that a script gets at its first write and never later, so it has written nothing.
_REDIS_REFUSES_FIRST_WRITE = {"MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY"}
#: The command started and was ended from outside.
_REDIS_IS_OPEN = {"IOERR", "UNBLOCKED", "UNKILLABLE"}
#: The command, or the type of its key, is wrong.
_REDIS_IS_MISUSED = {
    "BUSYGROUP", "BUSYKEY", "CROSSSLOT", "INVALIDOBJ", "NOGROUP", "NOPROTO", "NOTBUSY",
    "WRONGTYPE",
}  # fmt: skip
#: ERR stands for everything else, so here the text decides.
_ERR_REFUSES = (
    "max number of clients",
    "operation not permitted",
    # The rights of the connection's user were revoked, and the command is longer than a login.
    "Protocol error: unauthenticated",
)
_ERR_IS_MISUSED = re.compile(
    "unknown (sub)?command|Protocol error|wrong number of arguments|error compiling|syntax error|"
    "value is not|invalid (db|expire|cursor)|db index|no such key|index out of range|number of "
    "keys",
    re.IGNORECASE,
)
#: Redis 7 and later; Redis 6.
_WITHIN_SCRIPT = re.compile(r"script: \S+, on @|Error running script")

# --- RabbitMQ ---------------------------------------------------------------------------------

#: AMQP 0-9-1: no route, no consumers, forced close, access refused, not found, locked,
#: precondition failed, resource error, not allowed.
_BROKER_REFUSES = {312, 313, 320, 403, 404, 405, 406, 506, 530}
_BROKER_CONTENT_TOO_LARGE = 311
_BROKER_PRECONDITION_FAILED = 406
#: RabbitMQ reports a message that is too large as a failed precondition.
_BROKER_TOO_LARGE = "message size"
_BROKER_IS_OPEN = {504, 541}  # channel error, internal error
#: Invalid path, frame error, syntax error, command invalid, unexpected frame, not implemented.
_BROKER_IS_MISUSED = {402, 501, 502, 503, 505, 540}

# --- MariaDB and MySQL ------------------------------------------------------------------------

_DUPLICATE = 1062
_DEADLOCK = 1213
_LOCK_TIMEOUT = 1205
#: In errors of Vitess: the keyspace, the shard, and which of its tablets failed.
_NAMES_SHARD = re.compile(r"\btarget: \w+\.[-\w]+\.primary\b")

#: The statement was undone or never started: the server is full, busy, read only, not migrated.
_DATABASE_REFUSES = {
    # Connecting: access, blocked hosts, too many connections, limits of a user, offline.
    1040, 1042, 1043, 1044, 1045, 1049, 1129, 1130, 1203, 1226, 1251, 1698, 1862, 3032, 3118,
    3159, 4151,
    # Rights on tables, columns, routines and settings.
    1142, 1143, 1227, 1370,
    # Memory, disks, files, tables that are broken or full, threads.
    1005, 1016, 1021, 1023, 1024, 1026, 1030, 1033, 1034, 1035, 1036, 1037, 1038, 1041, 1114,
    1135, 1194, 1195, 1526, 1534, 1812, 1878, 1932,
    # Locks and conflicts.
    1020, 1099, 1100, _LOCK_TIMEOUT, 1206, _DEADLOCK, 1223, 1637, 1689, 3101, 3572,
    # Read only, shutting down, not ready: settings, Galera, group replication.
    1047, 1053, 1077, 1079, 1290, 1792, 1836, 1874, 3100, 3168,
    # Too slow.
    1969, 3024,
    # The tables are of another release: a migration is missing.
    1054, 1109, 1146, 1176, 1356, 1364, 1412, 1615,
    # The client could not connect.
    2001, 2002, 2003, 2004, 2005, 2007, 2009, 2012, 2026, 2059, 2061,
}  # fmt: skip
#: The connection ended during a statement or a commit, or was interrupted; 1105, 1317 and 1815 are
#: also all that Vitess says of a shard that does not answer, at any statement and at a commit.
_DATABASE_IS_OPEN = {
    1080, 1105, 1152, 1158, 1159, 1160, 1161, 1180, 1181, 1184, 1317, 1815, 1927, 2000, 2006,
    2008, 2013, 2014, 2027, 2055, 3169, 4031,
}  # fmt: skip
#: Values that do not fit, and keys that are taken.
_DATABASE_BLAMES_ROW = {
    1022, 1048, _DUPLICATE, 1118, 1153, 1169, 1171, 1263, 1264, 1265, 1292, 1300, 1301, 1366,
    1367, 1406, 1411, 1441, 1525, 1586, 1690, 1859, 2020, 3140, 3156, 3819, 3854, 3988, 4025,
    4038,
}  # fmt: skip
#: Statements that this server does not understand.
_DATABASE_IS_MISUSED = {
    1052, 1055, 1058, 1060, 1064, 1065, 1066, 1093, 1110, 1111, 1136, 1140, 1149, 1210, 1222,
    1235, 1241, 1242, 1248, 1267, 1271, 1305, 1318, 1327, 1568, 1582,
}  # fmt: skip


def meaning_of(error: BaseException) -> Meaning | None:
    """What this error means; None if it is no service's. It logs unknown errors and defects."""
    service, meaning = _look_up(error)
    if not service:
        return None
    if meaning in (None, Meaning.DEFECT):
        logger.error(Event.SERVICE_UNFORESEEN, service=service, error=error)
    return meaning or Meaning.OPEN


def has_moved(error: BaseException) -> bool:
    """Whether a node of a Redis Cluster refuses because another one has the keys, now or soon."""
    return isinstance(
        error, AskError | TryAgainError | ClusterDownError | MasterDownError | ReadOnlyError
    )


def is_moving(error: BaseException) -> bool:
    """Whether the keys are moving between nodes just now: some are here and some there."""
    return isinstance(error, AskError | TryAgainError) and not isinstance(error, MovedError)


def blames_row(error: BaseException) -> bool:
    """Whether the database refuses these values; its message may quote them."""
    return _look_up(error)[1] is Meaning.ROW_AT_FAULT


def is_duplicate(error: BaseException) -> bool:
    """Whether the error is a duplicate key."""
    if not isinstance(error, IntegrityError):
        return False
    return error.args[:1] == (_DUPLICATE,) or str(error).startswith("UNIQUE constraint")


def is_of_shard(error: BaseException) -> bool:
    """Whether a shard of a sharded database failed, and not the database: others may be well."""
    return isinstance(error, DatabaseError) and bool(_NAMES_SHARD.search(str(error)))


def is_deadlock(error: BaseException) -> bool:
    """Whether the database rolled the transaction back because of a deadlock.

    Or because of what may be one on a sharded database, where each shard sees a long wait only.
    """
    if not isinstance(error, DatabaseError):
        return False
    is_long_wait_on_shard = error.args[:1] == (_LOCK_TIMEOUT,) and is_of_shard(error)
    return error.args[:1] == (_DEADLOCK,) or is_long_wait_on_shard


def _look_up(error: BaseException) -> tuple[str, Meaning | None]:
    """The service, and the meaning by its lists, if they have the error."""
    match error:
        case redis.RedisError():
            return "redis", _of_redis(error)
        case AMQPError() | KombuError() | MessageNacked():
            return "rabbitmq", _of_broker(error)
        case Error():
            return "database", _of_database(error)
        case _:
            return "", None


def _of_redis(error: redis.RedisError) -> Meaning | None:
    # redis-py removes the code from the text of errors that it knows, and keeps it here.
    code = error.status_code or str(error).partition(" ")[0]
    if _WITHIN_SCRIPT.search(str(error)):
        # The script may have written already, and Redis undoes nothing.
        is_first = code in _REDIS_REFUSES_FIRST_WRITE
        return Meaning.NOT_DONE if is_first else Meaning.OPEN
    if code in _REDIS_REFUSES:
        return Meaning.NOT_DONE
    if code in _REDIS_IS_MISUSED or isinstance(error, redis.DataError):
        return Meaning.DEFECT
    if code == "ERR":
        return _of_err(str(error))
    if code in _REDIS_IS_OPEN or isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return Meaning.OPEN
    return None


def _of_err(text: str) -> Meaning | None:
    if text.startswith(_ERR_REFUSES):
        return Meaning.NOT_DONE
    return Meaning.DEFECT if _ERR_IS_MISUSED.search(text) else None


def _of_broker(error: BaseException) -> Meaning | None:
    if isinstance(error, MessageNacked):
        return Meaning.NOT_DONE  # the queue is full
    code = getattr(error, "reply_code", None)
    is_too_large = code == _BROKER_PRECONDITION_FAILED and _BROKER_TOO_LARGE in str(error)
    if is_too_large or code == _BROKER_CONTENT_TOO_LARGE:
        return Meaning.ROW_AT_FAULT
    if code in _BROKER_REFUSES:
        return Meaning.NOT_DONE
    if code in _BROKER_IS_MISUSED:
        return Meaning.DEFECT
    # Errors without a code are the client's: a broken connection, a timeout.
    return Meaning.OPEN if not code or code in _BROKER_IS_OPEN else None


def _of_database(error: Error) -> Meaning | None:
    code = error.args[0] if error.args else None
    if not isinstance(code, int) or not code:
        return _of_class(error)
    for codes, meaning in (
        (_DATABASE_BLAMES_ROW, Meaning.ROW_AT_FAULT),
        (_DATABASE_REFUSES, Meaning.NOT_DONE),
        (_DATABASE_IS_OPEN, Meaning.OPEN),
        (_DATABASE_IS_MISUSED, Meaning.DEFECT),
    ):
        if code in codes:
            return meaning
    return None


def _of_class(error: Error) -> Meaning:
    """The meaning of errors without a number: SQLite's, the drivers', Django's."""
    match error:
        case DataError() | IntegrityError():
            return Meaning.ROW_AT_FAULT
        case ProgrammingError() | NotSupportedError():
            return Meaning.DEFECT
        case InterfaceError() | DatabaseError() | _:
            # SQLite undoes a failed statement, and drivers raise before they send anything.
            return Meaning.NOT_DONE
