"""Whether a server was found to be the one that the numbers were lent to, and still has its data.

One that was restarted or replaced does not know the script, one that was emptied under way does not
know the epoch.
"""

from typing import Any

from core.numbering.blocks import script_digest
from core.numbering.term import Term
from core.redis import keys
from core.redis.guard import ask


def is_trusted(term: Term) -> bool:
    """Whether Redis gives numbers in this term, with all that it has answered. Raises NoRedis."""

    def look(server: Any) -> Any:
        pipeline = server.pipeline(transaction=False)
        pipeline.script_exists(script_digest(term))
        return pipeline.get(keys.EPOCH).execute()

    [knows_script], epoch = ask(look)
    return bool(knows_script) and int(epoch or 0) == term.epoch
