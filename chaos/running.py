"""Run one case, from preparation to verdict."""

import time
from pathlib import Path
from uuid import uuid4

from chaos import availability, observed
from chaos.cases import Case
from chaos.client import Client
from chaos.errors import ChaosError, NotHere
from chaos.evidence import NEVER, Evidence, Sort, Violation
from chaos.healing import Watch, heal, until_settled
from chaos.inspection import audit_errors, inspect
from chaos.journal import Journal
from chaos.load import Load
from chaos.outcome import Outcome
from chaos.parent import Parent
from chaos.receivers import Audience
from chaos.repeating import repeat
from chaos.requests import Kind, Request
from chaos.verdict import judge
from chaos.vitess.mysql import has_shards, on_each_shard
from chaos.writer import NOBODY, send

CLIENTS = 20
#: Between two requests of one client; all clients together send about 200 a second.
INTERVAL_SECONDS = 0.1
_APPLICATIONS, _CHATS = 2, 3
_BEFORE = 0.25
_AFTER_SECONDS = 5.0
#: A row that is only in Redis is swept when it is a minute old; the sweep runs every minute.
_HEALED_WITHIN_SECONDS = 240.0


def run(case: Case, seconds: float, journals: Path) -> Outcome:
    """The outcome of the case. Raises ChaosError if there is no verdict."""
    heal()
    until_settled(_HEALED_WITHIN_SECONDS)
    try:
        case.fault.prepare()
        with Journal(journals / f"{case.name}.jsonl") as journal:
            return _run(case, seconds, journal)
    except NotHere as reason:
        return Outcome(case.name, not_run=str(reason))
    finally:
        case.fault.tidy_up()
        heal()


def _run(case: Case, seconds: float, journal: Journal) -> Outcome:
    known = audit_errors()
    load = Load(
        homes(journal),
        interval=INTERVAL_SECONDS,
        journal=journal,
        padding="x" * case.padding,
    )
    if case.inside:
        load.put_inside(case.inside)
    with Audience(load.homes) as audience:
        return _outcome(load, case, seconds, journal, known, audience)


def _outcome(
    load: Load,
    case: Case,
    seconds: float,
    journal: Journal,
    known: frozenset[str],
    audience: Audience,
) -> Outcome:
    violations: list[Violation] = []
    broken_at, mended_at, watch = _under_load(load, case, seconds)
    sent = load.journal
    healed_after = watch.until_healed(_HEALED_WITHIN_SECONDS)
    repeated = 0
    try:
        until_settled(_HEALED_WITHIN_SECONDS)
        repeated = repeat(sent, journal)
        until_settled(_HEALED_WITHIN_SECONDS)
    except ChaosError as error:
        violations.append(Violation(Sort.UNHEALED, str(error)))
    outside = [attempt for attempt in sent if attempt.client not in load.inside]
    shares = availability.shares(outside, broken_at + case.grace)
    violations += availability.unavailable(shares, case.required)
    late = (broken_at, mended_at + (healed_after or _HEALED_WITHIN_SECONDS))
    evidence = _evidence(case, journal, late)
    violations += [*judge(evidence), *inspect(evidence, known)]
    violations += audience.violations(evidence.texts)
    return Outcome(
        case=case.name,
        load_seconds=seconds,
        requests=len(sent),
        failed=sum(not attempt.is_success for attempt in sent),
        sent_twice=sum(attempt.sent > 1 for attempt in sent),
        repeated=repeated,
        silences=availability.longest_silences(sent),
        shares=shares,
        healed_after=healed_after,
        skips=sum(map(len, evidence.skips.values())),
        resumed=audience.resumed,
        violations=violations,
    )


def homes(journal: Journal) -> list[Parent]:
    """A chat for each client; clients share the chats of both applications."""
    with Client() as http:
        if has_shards():
            applications = on_each_shard(http.new_application)
        else:
            applications = [http.new_application() for _ in range(_APPLICATIONS)]
        chats = [
            _new_chat(http, application, journal)
            for application in applications
            for _ in range(_CHATS)
        ]
    return [chats[number % len(chats)] for number in range(CLIENTS)]


def _new_chat(http: Client, application: Parent, journal: Journal) -> Parent:
    name = f"home-{uuid4().hex}"
    made = send(http, NOBODY, Request(Kind.CHAT, application, (name,), key=name))
    if not made.is_success:
        raise ChaosError(f"no chat could be made: {made.status} {made.problem}")
    journal.append(made)
    return application.child(made.number)


def _under_load(load: Load, case: Case, seconds: float) -> tuple[float, float, Watch]:
    """The times of the fault and of its end, and a Watch for recovery."""
    before = _BEFORE * seconds
    with load.running():
        time.sleep(before / 2)
        case.fault.before()
        time.sleep(before / 2)
        broken_at = time.time()
        case.fault.inject()
        time.sleep(case.lasting)
        case.fault.heal()
        watch = Watch()
        mended_at = time.time()
        time.sleep(max(_AFTER_SECONDS, seconds - before - (mended_at - broken_at)))
    return broken_at, mended_at, watch


def _evidence(case: Case, journal: Journal, late: tuple[float, float]) -> Evidence:
    tokens = sorted({attempt.request.parent.token for attempt in journal.attempts})
    return Evidence(
        journal.attempts,
        observed.stored(tokens),
        observed.skips(tokens),
        # While Redis is down, lists lack pending rows.
        late if any(part.startswith("redis") for part in case.down) else NEVER,
    )
