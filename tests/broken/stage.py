"""A complete system for one test, from the API to the tables, and the evidence it leaves.

Redis, queue and database are real and belong to the test. This process is the web process, and
also the worker unless the worker has to be killed.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from chaos.client import Answer
from chaos.evidence import Evidence, Sort
from chaos.journal import Attempt, attempt
from chaos.parent import Parent
from chaos.requests import Kind, Request
from chaos.verdict import judge
from chats.models import Chat
from ingest import redis_keys, writer
from ingest.idempotent_insert import store_rows
from ingest.models import DeadLetter, NumberSkip
from ingest.queue_drain import QueueDrain
from ingest.records import record_types
from ingest.sweeper import sweep
from messages_app.models import Message
from operations.counts import reconcile
from tests.api.client import Api
from tests.audit.results import audit
from tests.live.servers import eventually
from tests.pipeline.queue import TestQueue
from tests.pipeline.worker import TestWorker
from tests.redis_server import RedisServer
from tests.rows import new_message
from tests.shards import ONLY

WITHIN_S = 60


@dataclass(frozen=True)
class Verdict:
    """The broken promises, and the audit's checks that report errors."""

    broken: frozenset[Sort]
    alarms: frozenset[str]


@dataclass
class Stage:
    """One chat that receives messages; `sent` is the journal."""

    api: Api
    redis: RedisServer
    queue: TestQueue
    folder: Path
    variant: str
    sent: list[Attempt] = field(default_factory=list)

    def open(self) -> None:
        """Create and store an empty chat."""
        token = self.api.post("/applications", {"name": "a stage"}).json()["token"]
        self.chat = Parent(token, self._send(Kind.CHAT, Parent(token), "chat of all").number)
        self.work()

    def say(self, *bodies: str) -> list[int]:
        """The numbers of new messages, which must all be accepted."""
        done = [self._send(Kind.MESSAGE, self.chat, body) for body in bodies]
        return [one.number for one in done]

    def store_a_stranger(self, number: int) -> None:
        """Store a row of an unanswered request under this number."""
        request = Request(Kind.MESSAGE, self.chat, ("stranger, unanswered",))
        now = time.time()
        self.sent.append(attempt(1, request, Answer(0), (now, now)))
        row = new_message(self.chat.token, self.chat.number, request.texts[0])
        store_rows([row.numbered(number)])

    def work(self) -> None:
        """Store queued rows as a worker does: run its task, then acknowledge."""
        drain = QueueDrain()
        while held := drain.fetch(self.queue.name):
            [envelope], _, _ = orjson.loads(held.body)
            writer.store_queued_rows.apply((envelope,), routing_key=self.queue.name, throw=True)
            held.channel.basic_ack(held.tag)
        drain.drop()
        writer._drain.drop()

    def kill_a_worker_before_its_insert(self) -> None:
        """Kill a worker of this variant after it takes the queued rows; its successor continues."""
        worker = TestWorker(
            self.queue,
            self.folder,
            "die before the insert",
            application="tests.broken.worker_application",
            VARIANT=self.variant,
            REDIS_URL=self.redis.url,
        )
        with worker:
            eventually(worker.fault_file.exists, WITHIN_S, "the worker is killed")
            eventually(lambda: not self.queue.ready(), WITHIN_S, "the queue is empty")
            worker.stop()

    def heal(self) -> None:
        """Store the queued rows, then run the sweeper and the count job."""
        self.work()
        # What tells the sweeper that workers are busy is forgotten half a minute later.
        for kind in record_types():
            self.redis.client().delete(redis_keys.progress(ONLY, kind))
        sweep()
        reconcile(everything=True)

    def verdict(self) -> Verdict:
        """The verdict on all responses; a dead letter counts as stored under its number."""
        found = judge(Evidence(self.sent, self._texts(), self._skips()))
        alarms = {check for check, severity in audit().sorts if severity == "error"}
        return Verdict(frozenset(violation.sort for violation in found), frozenset(alarms))

    def _send(self, kind: Kind, parent: Parent, text: str) -> Attempt:
        request = Request(kind, parent, (f"row-{len(self.sent)} {text}",))
        began = time.time()
        response = self.api.post(request.path, request.document)
        answer = Answer(response.status_code, response.json(), dict(response.headers))
        done = attempt(0, request, answer, (began, time.time()))
        assert done.is_accepted, answer
        self.sent.append(done)
        return done

    def _texts(self) -> dict[Parent, dict[int, str]]:
        token = self.chat.token
        texts: defaultdict[Parent, dict[int, str]] = defaultdict(dict)
        for chat in Chat.objects.filter(application_token=token):
            texts[Parent(token)][chat.chat_number] = chat.name
        for message in Message.objects.filter(application_token=token):
            texts[Parent(token, message.chat_number)][message.message_number] = message.body
        for (_, chat, number), payload in DeadLetter.objects.values_list("key", "payload"):
            texts[Parent(token, chat)][number] = payload[2][0]
        return texts

    def _skips(self) -> dict[Parent, set[int]]:
        skips: defaultdict[Parent, set[int]] = defaultdict(set)
        for skip in NumberSkip.objects.all():
            skips[Parent(skip.application_token, skip.chat_number or 0)].add(skip.resumed_at)
        return skips
