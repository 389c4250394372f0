"""One batch, one transaction: messages, new chats, lines set aside, and the progress itself.

Either all of it is there or nothing, so an import that is killed at any point and run again stores
each line exactly once.
"""

from collections import Counter
from collections.abc import Iterable
from functools import partial

from django.db import IntegrityError
from django.db.models import F
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from chats.models import ChatKey
from conversations.batches import Batch
from conversations.models import ImportShare, RejectedLine
from conversations.parsing import Said
from conversations.progress import Progress
from conversations.targets import Found, Targets
from infra.database import in_transaction
from ingest.database_numbers import number_and_insert
from messages_app.records import MESSAGES


# Another import that makes the same application at the same time wins by a unique key; the next
# attempt finds what it made.
@retry(
    retry=retry_if_exception_type(IntegrityError),
    stop=stop_after_attempt(10),
    wait=wait_random_exponential(multiplier=0.02, max=1),
    reraise=True,
)
def store(batch: Batch, progress: Progress, targets: Targets) -> None:
    """Store the batch and count its lines as done. Raises Overtaken."""
    found = in_transaction(partial(_store, batch, progress, targets))
    targets.remember(found)
    progress.follow(batch)


def _store(batch: Batch, progress: Progress, targets: Targets) -> Found:
    progress.advance(batch)
    found = targets.find(said.where for said in batch.said)
    _insert(batch.said, found)
    _set_aside(batch, progress.import_id)
    _share(batch.said, found, progress.import_id)
    return found


def _insert(said: Iterable[Said], found: Found) -> None:
    """The messages, numbered within each chat in the order of their lines. Raises NotFound."""
    targets = ((found.targets[one.where], one.body) for one in said)
    rows = [
        MESSAGES.new(ChatKey(to.application_token, to.chat_number), body=body)
        for to, body in targets
    ]
    for outcome in number_and_insert(rows):
        if isinstance(outcome, Exception):
            raise outcome


def _set_aside(batch: Batch, import_id: int) -> None:
    # A last line without its end was set aside before it was done; now it may be another.
    RejectedLine.objects.filter(of_id=import_id, line_number__gt=batch.before).delete()
    RejectedLine.objects.bulk_create(
        RejectedLine(of_id=import_id, line_number=one.line_number, reason=one.reason, raw=one.raw)
        for one in batch.rejected
    )


def _share(said: Iterable[Said], found: Found, import_id: int) -> None:
    """Add to what this import has brought to each application."""
    messages = Counter(found.targets[one.where].application_token for one in said)
    chats = Counter(found.targets[name].application_token for name in found.new)
    names = {target.application_token: name.application for name, target in found.targets.items()}
    for token, count in messages.items():
        share, _ = ImportShare.objects.get_or_create(
            of_id=import_id, application_token=token, defaults={"name": names[token]}
        )
        ImportShare.objects.filter(pk=share.pk).update(
            messages=F("messages") + count, chats=F("chats") + chats[token]
        )
