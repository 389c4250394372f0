"""All time limits, retries and connection limits of waits for services.

They are in one place because they depend on each other: a wait for something that waits itself must
be longer. Units are in the names. The table in docs/operations.md is made of the comments here.
Pauses between steps of a job are with that job.
"""

# --- Database ---------------------------------------------------------------------------------

#: A server on the same network accepts in milliseconds; a starting process may be busy.
DATABASE_CONNECT_SECONDS = 3
#: The slowest intended statement, the last pages of a full count, takes a few seconds.
DATABASE_ANSWER_SECONDS = 30
#: The kernel of a server confirms what it gets in milliseconds, however busy the server is. After
#: this time its host counts as lost, or this one as cut off.
DATABASE_SILENCE_SECONDS = 4
#: Shorter than an answer: an error that names the lock says more than a dead connection.
DATABASE_LOCK_SECONDS = 10
#: On a sharded database: two transactions may wait for each other on different shards, which nobody
#: sees. So a wait for a lock ends soon there, and the transaction is repeated as after a deadlock.
SHARD_LOCK_SECONDS = 1
#: MariaDB ends a transaction whose process says nothing for so long: it hangs, or its host is lost.
#: Others wait for its locks meanwhile. Within a transaction, a process waits for Redis at most.
DATABASE_IDLE_TRANSACTION_SECONDS = 4
#: SQLite has one writer at a time; the others wait in place.
SQLITE_LOCK_SECONDS = 30
#: A connection is replaced after this time: well below the server's wait_timeout of eight hours,
#: and short enough that all nodes behind one address are used. A ping detects dead ones before.
DATABASE_CONNECTION_AGE_SECONDS = 600
#: A deadlock calls for a repeat at once; ten deadlocks in a row are no coincidence.
DATABASE_DEADLOCK_ATTEMPTS = 10
#: A worker retries in place this long; the broker takes back messages that stay unacknowledged for
#: half an hour.
DATABASE_OUTAGE_SECONDS = 15 * 60
#: The first pause of a worker's retries; each pause is twice the one before, with a random part.
DATABASE_FIRST_PAUSE_SECONDS = 0.2
#: The longest delay of a worker after the database is back.
DATABASE_LONGEST_PAUSE_SECONDS = 5.0
#: Online DDL of Vitess copies a large table, under load, in hours.
ONLINE_DDL_SECONDS = 24 * 60 * 60
#: The Retry-After of a failed request.
DATABASE_RETRY_AFTER_SECONDS = 2

# --- Redis ------------------------------------------------------------------------------------

#: A server on the same network accepts in milliseconds; well below the grace period.
REDIS_CONNECT_SECONDS = 0.5
#: An answer takes a millisecond, or some hundreds on a slow disk. After this time Redis counts as
#: unavailable, and the server refuses the call as well.
REDIS_ANSWER_SECONDS = 2.0
#: A script that numbers rows must not run twice, and readers have another way.
REDIS_RETRIES = 0
#: Connections in addition to one for each serving thread: for the numbering agent, probes, limits.
REDIS_SPARE_CONNECTIONS = 64
#: Without Redis each process counts login attempts by itself.
REDIS_CACHE_SECONDS = 1
#: How long a failing Redis is waited for before the database takes over with a new epoch.
REDIS_GRACE_SECONDS = 1.5
#: For processes to report after a restart of Redis; each looks every half second.
REDIS_EXAMINATION_SECONDS = 2.0
#: A process that is silent for this long is dead; on a busy machine processes are silent for
#: seconds.
REDIS_SILENCE_SECONDS = 7.0
#: Longer than an examination takes: the process that examines has died, so another one begins anew.
REDIS_DECISION_SECONDS = 8.0

# --- RabbitMQ ---------------------------------------------------------------------------------

#: A server on the same network accepts in milliseconds.
BROKER_CONNECT_SECONDS = 1.0
#: A message on disk is confirmed in about ten milliseconds. After this time the group is inserted
#: directly.
BROKER_CONFIRM_SECONDS = 2.0
#: For reading the number of queued messages.
BROKER_DEPTH_SECONDS = 2.0
#: A worker that takes more messages is in no hurry: it has some already.
BROKER_DRAIN_SECONDS = 10.0
#: Heartbeat of the worker's AMQP connection; it is sent every third of this time.
BROKER_HEARTBEAT_SECONDS = 60
#: A connection that was idle for longer is replaced: below the heartbeat, without which the broker
#: closes it.
BROKER_IDLE_SECONDS = 30.0
#: A closed connection is not waited for.
BROKER_FAREWELL_SECONDS = 0.1

# --- Celery -----------------------------------------------------------------------------------

#: A worker or beat tries again for ever, with growing pauses.
CELERY_CONNECT_SECONDS = 2
#: A worker detects a dead connection after two of these.
CELERY_HEARTBEAT_SECONDS = 30
#: Beat keeps one connection for ever; a missing confirm shows that it is dead.
BEAT_CONFIRM_SECONDS = 10
#: One, on a new connection; a task that is lost is due again soon.
BEAT_RETRIES = 1
#: On a busy machine a new child may need more than Celery's four seconds.
CELERY_CHILD_START_SECONDS = 60
#: Tasks until a child replaces its database connection; the default is one.
CELERY_TASKS_PER_DATABASE_CONNECTION = 10_000

# --- Elasticsearch ----------------------------------------------------------------------------

#: A search that takes longer is answered from the database.
SEARCH_ANSWER_SECONDS = 2.0
#: The search worker and commands are in no hurry: a bulk request may wait for a merge.
SEARCH_PATIENT_SECONDS = 30.0
#: Nothing is repeated: a search has another way, and the search worker starts again by itself.
SEARCH_RETRIES = 0

# --- Webhooks ---------------------------------------------------------------------------------

#: A whole delivery: name, connection, TLS, request and answer.
WEBHOOK_DELIVERY_SECONDS = 15.0
#: Of these, for one address: a name may have others.
WEBHOOK_CONNECT_SECONDS = 5.0
#: A worker that does not release an endpoint within this time has died, and another one may begin.
#: No request lasts so long, also if the clocks of two hosts differ by seconds.
WEBHOOK_LEASE_SECONDS = 30.0
#: After this time a worker begins no delivery, and queues its task again.
WEBHOOK_RUN_SECONDS = 60.0
#: Celery then interrupts the task, which had a run and a delivery's time to end.
WEBHOOK_TASK_SECONDS = 120
#: Celery then kills the process; the leases end by themselves.
WEBHOOK_TASK_KILL_SECONDS = 150

# --- Requests ---------------------------------------------------------------------------------

#: A dead service is probed this often.
BREAKER_PROBE_SECONDS = 0.5
#: A client may be slow to send a request, or its first one; it holds up no other client.
REQUEST_ARRIVAL_SECONDS = 60.0
#: A client that takes nothing of its answer for this long is dropped.
CLIENT_STALLED_SECONDS = 60.0
#: The rest of a refused body is discarded for this long, so that the client can read the answer.
CLIENT_LINGER_SECONDS = 5.0
#: For a request's turn in a group, and once more for the end of the group.
REQUEST_TURN_SECONDS = 10.0
#: After this time a group without numbers gets 503; less than a turn, so that waiting requests get
#: the answer.
REQUEST_NUMBER_SECONDS = 8.0
#: For rows from before an epoch to be stored, while they may include one of the request's key.
REQUEST_UNDECIDED_SECONDS = 8.0
#: For a request's turn at the rate limit; then its process counts alone.
REQUEST_LIMIT_TURN_SECONDS = 0.5
#: For a login's turn to hash its password; each one before takes half a second.
PASSWORD_TURN_SECONDS = 10.0
#: The Retry-After of a login while too many others are checked.
PASSWORD_RETRY_AFTER_SECONDS = 2

# --- Health -----------------------------------------------------------------------------------

#: A part that only degrades is not waited for: the answer comes within a second.
HEALTH_SECONDS = 0.7
#: A part whose failure means down gets more time.
HEALTH_ESSENTIAL_SECONDS = 2.0
#: Clients of the probes give up by themselves soon after, so that no thread hangs.
HEALTH_PART_SECONDS = 1.0

# --- Web server -------------------------------------------------------------------------------

#: A stopping server waits for its requests: two turns, the database's connect and answer.
SERVER_GRACEFUL_SECONDS = 60
#: A process that does not report for this long is replaced.
SERVER_SILENT_SECONDS = 60
#: Longer than the 60 s for which proxies keep idle connections, so that the proxies close them.
SERVER_KEEPALIVE_SECONDS = 75

# --- Streams ----------------------------------------------------------------------------------

#: A wake-up may be lost: each process with open streams looks at its applications this often, and
#: ends the streams of replaced keys.
STREAMS_LOOK_SECONDS = 1.0
#: A comment keeps proxies from closing a silent stream; the shortest of their limits is 30 s.
STREAM_HEARTBEAT_SECONDS = 15
#: A stream ends after a time between these two: proxies keep the connections of dead browsers open.
STREAM_SHORTEST_SECONDS = 300
#: Its clients connect again, and should not do so all at once.
STREAM_LONGEST_SECONDS = 360
#: A client that takes nothing for this long is dropped, and resumes when it is back.
STREAM_STALLED_SECONDS = 30.0
#: Clients are told to pause for about this long before they connect again.
STREAM_RETRY_SECONDS = 2.0
#: A stopping server ends its streams over this time; well below the time for its requests.
STREAMS_FAREWELL_SECONDS = 15.0

# --- Restore ----------------------------------------------------------------------------------

#: For web servers to be gone, and for workers to empty the queues.
RESTORE_QUIET_SECONDS = 60.0
#: A worker stores what it holds within about this time.
WORKER_HOLDS_SECONDS = 2.0
