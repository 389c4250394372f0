"""Documents that Elasticsearch will not take are set aside, where operators see them.

Replayed, the message is indexed anew as it is by then; refused again, it is set aside again.
"""

from uuid import NAMESPACE_OID, uuid5

from core.accept.dead_letters import Letter, keep
from core.accept.models import DeadLetter
from core.broker.queues import SEARCH
from search.backlog import record
from search.index.names import name_of
from search.index.writing import Refused

KIND = "search"


def set_aside(refused: Refused) -> None:
    """Keep the key and the reason, once for each version. The row itself is in its table."""
    key, version = refused.change.key, refused.change.version
    letter = Letter(
        kind=KIND,
        queue=SEARCH,
        key=key,
        payload={"version": version},
        place=(key[:-1], int(key[-1])),
    )
    keep(uuid5(NAMESPACE_OID, f"{KIND} {name_of(key)} {version}"), letter, refused.reason)


def index_anew(letter: DeadLetter) -> None:
    """In the caller's transaction."""
    record([tuple(letter.key)])
