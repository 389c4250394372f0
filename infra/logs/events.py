"""All events that this service logs. docs/operations.md has the same list."""

from enum import StrEnum
from typing import Self


class Event(StrEnum):
    """An event of the log: its name and its meaning."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        """A member with its name in logs and its meaning."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    LIBRARY = "library", "a message of a library, in `message`"

    REQUEST_FAILED = "request.failed", "an unexpected error was answered with 500"
    EDGE_FULL = "edge.full", "a web process refused clients: connections, memory, queue or slow"
    DATABASE_FAILED = "database.failed", "the database failed during a request, answered with 503"
    SERVICE_FAILED = "service.failed", "another service failed during a request, answered with 503"
    SERVICE_UNFORESEEN = "service.unforeseen", "an unknown error of a service, or a defect here"

    FOLDER_OPEN = "folder.open", "other users can read `VAR_DIR`: close it or use a private folder"
    LOGINS_REFUSED = (
        "logins.refused",
        "too many wrong passwords by address, name or browser; more are refused for minutes",
    )
    SERVICE_AWAY = "service.away", "a service does not answer; requests skip it until it is back"
    SERVICE_STILL_AWAY = "service.still_away", "a probe failed again"
    SERVICE_BACK = "service.back", "the service answers again"
    PART_FAILING = "part.failing", "a health check found this part failing"
    READING_MISSING = "reading.missing", "a service did not answer the request for its metrics"
    SAMPLE_MISSED = "sample.missed", "a sample of the dashboard is missing"
    RUN_UNNOTED = "run.unnoted", "the run of a scheduled task could not be recorded"
    COUNTERS_WRONG = "counters.wrong", "a process cannot share its counters with others of its host"
    COUNTERS_STAY = "counters.stay", "the counters of ended processes are merged later"

    ROWS_STORED = "rows.stored", "a worker stored a batch"
    ROWS_KNOWN = "rows.known", "some rows of a batch were stored before, and are dropped"
    ROWS_PURGED = "rows.purged", "some rows of a batch were purged before, and are dropped"
    ROWS_SUPERSEDED = (
        "rows.superseded",
        "some rows came so late that their requests were accepted again; these are dropped",
    )
    ROWS_WAIT = "rows.wait", "the database is unavailable, and a worker waits with its rows"
    ROWS_PEND = "rows.pend", "neither queue nor database accepts rows; the sweeper will store them"
    ROWS_FAILED = "rows.failed", "an unexpected error of a worker; the message is redelivered"
    SET_ASIDE = "row.set_aside", "accepted data cannot be stored: a dead letter"
    DISCARDED = "dead_letter.discarded", "an operator discarded a dead letter"
    ERASED = "row.erased", "a client or an operator erased a row: only its number and times stay"
    PENDING_UNREADABLE = (
        "pending.unreadable",
        "a pending row cannot be read and becomes a dead letter",
    )
    MESSAGE_REFUSED = "message.refused", "a message cannot be read; it goes to the queue `failed`"
    TASK_FAILED = "task.failed", "a task ended with an unexpected error"
    SCHEDULED_DROPPED = "scheduled.dropped", "a scheduled task failed: its next run does the work"
    DRAIN_ENDED = "drain.ended", "the connection that takes messages broke; they are redelivered"
    QUEUE_DIFFERS = "queue.differs", "another release declared a queue: delete it when it is empty"

    NUMBERS_STOPPED = "numbers.stopped", "more numbers are needed, and the database is unavailable"
    REDIS_EXAMINED = "redis.examined", "Redis was restarted or replaced, and is being verified"
    REDIS_TRUSTED = "redis.trusted", "Redis has all its data, and gives numbers"
    EPOCH_BEGUN = "epoch.begun", "a new epoch: numbers continue above all that were lent"
    NUMBERS_STAY = "numbers.stay", "the database continues to give numbers"
    LEASES_WAIT = "leases.wait", "blocks of numbers run low and cannot be extended now"
    KEEPER_FAILED = "keeper.failed", "the numbering agent of a process cannot reach the database"

    COUNTED = "counts.done", "the count job ended"
    COUNTS_BUSY = "counts.busy", "the count job did not start: another run is running"
    FLAGS_STAY = "flags.stay", "dirty flags stay in Redis until the next run of the count job"
    SWEPT = "sweep.done", "a sweep ended; a warning if it found rows"
    SWEEP_FAILED = "sweep.failed", "a sweep was not possible, or the queues could not be read"
    TAKEN_OVER = "failed.taken_over", "messages of `failed` were stored or became dead letters"
    FAILED_STAY = "failed.stay", "messages stay in the queue `failed` until the next run"
    BLOCKS_RETURNED = "blocks.returned", "blocks of numbers of idle chats were handed back"
    BLOCKS_STAY = "blocks.stay", "blocks of idle chats stay in Redis until the next run"
    KEYS_FORGOTTEN = "keys.forgotten", "idempotency keys older than a day were removed"
    EVENTS_REMOVED = "events.removed", "a run that removes old events ended"
    STREAMS_WAIT = "streams.wait", "the database is unavailable; streams go on when it is back"
    STREAMS_DEAF = "streams.deaf", "no wake-ups from Redis; streams look at the table each second"
    PURGE_DONE = "purge.done", "the nightly purge ended"
    PURGE_ENDED = "purge.ended", "a purge ended early or did not start; the next one continues"

    INDEX_BUILT = "index.built", "a new search index is being built"
    INDEX_COMPLETE = "index.complete", "the new search index is complete and answers searches"
    INDEX_OUTDATED = (
        "index.outdated",
        "the search index is of another release; it is replaced, and the database answers",
    )
    INDEX_WAITS = "index.waits", "the search index cannot be updated now"
    INDEX_UNCHECKED = "index.unchecked", "the daily check of the search index was not possible"
    INDEX_DIFFERS = "index.differs", "the daily check found a document that differs from its row"
    SEARCH_REFUSED = (
        "search.refused",
        "Elasticsearch rejects a search, a defect; the database answers",
    )
    WAKE_LOST = "wake.lost", "a wake-up of a worker was lost; beat sends one"

    WEBHOOK_FAILING = "webhook.failing", "an endpoint of a webhook failed; it is tried again"
    WEBHOOK_BACK = "webhook.back", "an endpoint of a webhook accepts deliveries again"
    WEBHOOK_DISABLED = (
        "webhook.disabled",
        "a webhook gets nothing more: 410, three days of failures, or an operator",
    )
    WEBHOOK_MISSED = "webhook.missed", "events were removed before a webhook got them"
    WEBHOOK_UNFORESEEN = (
        "webhook.unforeseen",
        "an unknown error of a delivery, or a defect here; only its webhook is affected",
    )
    WEBHOOKS_WAIT = "webhooks.wait", "no webhook can be delivered now"
