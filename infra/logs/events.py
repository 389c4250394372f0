"""Everything that this service logs. docs/operations.md shows the same list."""

from enum import StrEnum
from typing import Self


class Event(StrEnum):
    """One thing that can happen, by the name under which logs are searched, and what it means."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        """A member with its name in logs and its meaning."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    LIBRARY = "library", "what a library has to say, in `message`"

    REQUEST_FAILED = "request.failed", "an unexpected error was answered with 500"
    EDGE_FULL = (
        "edge.full",
        "a web process has refused clients at a bound: connections, memory, queue or slow",
    )
    DATABASE_FAILED = "database.failed", "the database failed a request, which was answered 503"
    SERVICE_FAILED = "service.failed", "another service failed a request, which was answered 503"
    SERVICE_UNFORESEEN = (
        "service.unforeseen",
        "a service answered with an error that no list has, or that is a defect of this program",
    )

    FOLDER_OPEN = (
        "folder.open",
        "other users may look into `VAR_DIR`: close it, or choose a folder of the service's own",
    )
    LOGINS_REFUSED = (
        "logins.refused",
        "too many wrong passwords by address, name or browser; for minutes no more are looked at",
    )
    SERVICE_AWAY = "service.away", "a service does not answer; it is left alone until it is back"
    SERVICE_STILL_AWAY = "service.still_away", "it was looked for again"
    SERVICE_BACK = "service.back", "it answers again"
    PART_FAILING = "part.failing", "somebody asked for the health, and this part is not well"
    READING_MISSING = "reading.missing", "a service did not tell its part of the metrics"
    SAMPLE_MISSED = "sample.missed", "the dashboard will have a gap"
    RUN_UNNOTED = "run.unnoted", "nobody will know that a scheduled task has run"
    COUNTERS_WRONG = "counters.wrong", "a process cannot count with the others of its host"
    COUNTERS_STAY = "counters.stay", "what processes that ended have counted is added up later"

    ROWS_STORED = "rows.stored", "a worker has stored a batch"
    ROWS_KNOWN = "rows.known", "some rows of a batch were stored before, and are dropped"
    ROWS_PURGED = "rows.purged", "some rows of a batch were purged before, and are dropped"
    ROWS_WAIT = "rows.wait", "the database is away, and a worker waits with its rows"
    ROWS_PEND = (
        "rows.pend",
        "neither queue nor database takes rows now; the sweeper will store them",
    )
    ROWS_FAILED = "rows.failed", "an unexpected error; the message is handed out again"
    SET_ASIDE = "row.set_aside", "something accepted cannot be stored: a dead letter"
    DISCARDED = "dead_letter.discarded", "an operator has given up a dead letter"
    PENDING_UNREADABLE = "pending.unreadable", "a pending row cannot be read; the sweeper keeps it"
    MESSAGE_REFUSED = (
        "message.refused",
        "a message of a queue cannot be read; it goes to the failed",
    )
    TASK_FAILED = "task.failed", "a task ended with an unexpected error"
    SCHEDULED_DROPPED = (
        "scheduled.dropped",
        "a scheduled task came back as failed, and is dropped: its next run does the work",
    )
    DRAIN_ENDED = "drain.ended", "messages that were being taken are handed out again"
    QUEUE_DIFFERS = (
        "queue.differs",
        "a queue was made by another version: delete it when it is empty",
    )

    NUMBERS_STOPPED = "numbers.stopped", "numbers would be needed from a database that is away"
    REDIS_EXAMINED = "redis.examined", "Redis was restarted or replaced, and is examined"
    REDIS_TRUSTED = "redis.trusted", "it has all its data, and gives numbers"
    EPOCH_BEGUN = "epoch.begun", "numbers go on above all that were lent"
    NUMBERS_STAY = "numbers.stay", "the database goes on giving numbers"
    LEASES_WAIT = "leases.wait", "blocks of numbers run low and cannot be renewed now"
    KEEPER_FAILED = "keeper.failed", "a process cannot say, or learn, who gives numbers"

    COUNTED = "counts.done", "the count job has ended"
    COUNTS_BUSY = "counts.busy", "the count job was not started: another run is under way"
    FLAGS_STAY = "flags.stay", "flags of the count job stay in Redis until its next run"
    SWEPT = "sweep.done", "a sweep has ended; a warning where it found rows"
    SWEEP_FAILED = "sweep.failed", "no sweep, or nobody knows what is queued"
    TAKEN_OVER = "failed.taken_over", "messages of the queue of the failed were stored or kept"
    FAILED_STAY = "failed.stay", "they stay in their queue until the next run"
    KEYS_FORGOTTEN = "keys.forgotten", "idempotency keys of more than a day ago were removed"
    PURGE_DONE = "purge.done", "the nightly purge has ended"
    PURGE_ENDED = "purge.ended", "a purge was ended before its end, or not begun; the next goes on"

    INDEX_BUILT = "index.built", "a new search index is being built"
    INDEX_COMPLETE = "index.complete", "it is complete, and answers searches"
    INDEX_WAITS = "index.waits", "the search index cannot be brought in step now"
    INDEX_UNCHECKED = "index.unchecked", "the daily check of the search index was not possible"
    INDEX_DIFFERS = "index.differs", "the daily check found a document that differs from its row"
    SEARCH_REFUSED = (
        "search.refused",
        "Elasticsearch calls a search wrong, a defect; the database answers it",
    )
    WAKE_LOST = "wake.lost", "the search worker was not woken; beat does it"
