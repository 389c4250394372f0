"""How long each wait for a service may last, how often it is tried, how many connections there are.

All of them in one place, since they lean on each other: what waits for something that waits itself
has to wait longer. The unit is in the name. docs/operations.md shows them to operators: its table
is made of the comments here. (What paces a job is kept with that job.)
"""

# --- Database ---------------------------------------------------------------------------------

#: A server on the same network accepts in milliseconds; a process that starts may be busy.
DATABASE_CONNECT_SECONDS = 3
#: The slowest statement that is meant, the last pages of a full count, takes a few seconds.
DATABASE_ANSWER_SECONDS = 30
#: Less than an answer may take: an error that names the lock tells more than a dead connection.
DATABASE_LOCK_SECONDS = 10
#: SQLite has one writer at a time, and the others wait in place.
SQLITE_LOCK_SECONDS = 30
#: A connection is made anew after so long; well below the server's wait_timeout of eight hours, and
#: short enough that nodes behind one address are all used. One that died is found by a ping before.
DATABASE_CONNECTION_AGE_SECONDS = 600
#: A deadlock says "again, at once"; who loses ten times in a row is not unlucky.
DATABASE_DEADLOCK_ATTEMPTS = 10
#: A worker tries again in place for so long; the broker takes back what nobody has acknowledged for
#: half an hour.
DATABASE_OUTAGE_SECONDS = 15 * 60
#: Between its attempts at first; each pause is twice the one before, and drawn by lot.
DATABASE_FIRST_PAUSE_SECONDS = 0.2
#: So late a worker goes on after the database is back.
DATABASE_LONGEST_PAUSE_SECONDS = 5.0
#: What the client of a failed request is told to wait.
DATABASE_RETRY_AFTER_SECONDS = 2

# --- Redis ------------------------------------------------------------------------------------

#: A server on the same network accepts in milliseconds; well within the grace below.
REDIS_CONNECT_SECONDS = 0.5
#: An answer takes a millisecond, or some hundreds where the disk is slow. Longer than this is away;
#: later than this the server refuses the call, too.
REDIS_ANSWER_SECONDS = 2.0
#: A script that numbers rows must not run twice, and whoever reads has another way.
REDIS_RETRIES = 0
#: Beside one for each thread that serves: the keeper, probes, limits.
REDIS_SPARE_CONNECTIONS = 64
#: Counting logins goes on without, in each process.
REDIS_CACHE_SECONDS = 1
#: A Redis that fails is waited for so long before the database takes over, with other numbers.
REDIS_GRACE_SECONDS = 1.5
#: For processes to say what they have seen, when Redis was restarted; each looks each half second.
REDIS_EXAMINATION_SECONDS = 2.0
#: A process that has said nothing for so long is dead; on a busy machine one is silent for seconds.
REDIS_SILENCE_SECONDS = 7.0

# --- RabbitMQ ---------------------------------------------------------------------------------

#: A server on the same network accepts in milliseconds.
BROKER_CONNECT_SECONDS = 1.0
#: A message on disk is confirmed in some ten milliseconds. Later the group is inserted directly.
BROKER_CONFIRM_SECONDS = 2.0
#: For a look at how much is queued.
BROKER_DEPTH_SECONDS = 2.0
#: A worker that takes more messages is in no hurry: it has those that it was sent.
BROKER_DRAIN_SECONDS = 10.0
#: Of the connection by which a worker takes more messages; it is asked three times in between.
BROKER_HEARTBEAT_SECONDS = 60
#: One that was idle longer is made anew: below the heartbeat, for want of which the broker closes.
BROKER_IDLE_SECONDS = 30.0
#: A closed connection is noticed by who closes it; nobody waits for the farewell.
BROKER_FAREWELL_SECONDS = 0.1

# --- Celery -----------------------------------------------------------------------------------

#: A worker or beat begins again for ever, with growing pauses.
CELERY_CONNECT_SECONDS = 2
#: A worker whose connection is dead finds it out after two of these.
CELERY_HEARTBEAT_SECONDS = 30
#: Beat keeps one connection for ever; it tells by this that it is dead, and makes another.
BEAT_CONFIRM_SECONDS = 10
#: One, on a new connection; what is lost all the same is due again soon.
BEAT_RETRIES = 1
#: A busy machine may need more for a new child than Celery's four seconds.
CELERY_CHILD_START_SECONDS = 60
#: Tasks until a child opens its database connection anew; by default each would.
CELERY_TASKS_PER_DATABASE_CONNECTION = 10_000

# --- Elasticsearch ----------------------------------------------------------------------------

#: A search is answered from the database when it takes longer.
SEARCH_ANSWER_SECONDS = 2.0
#: The search worker and commands are in no hurry: a bulk request may wait for a merge.
SEARCH_PATIENT_SECONDS = 30.0
#: Nothing is repeated: a search has another way, the search worker begins again by itself.
SEARCH_RETRIES = 0

# --- Requests ---------------------------------------------------------------------------------

#: A dead service is asked so often whether it is back.
BREAKER_PROBE_SECONDS = 0.5
#: A client may be slow to send a request, or its first one, which holds up nobody else.
REQUEST_ARRIVAL_SECONDS = 60.0
#: A client that takes nothing of its answer for so long is given up.
CLIENT_STALLED_SECONDS = 60.0
#: The rest of a body that was refused is thrown away for so long, so that the client can read why.
CLIENT_LINGER_SECONDS = 5.0
#: For its turn in a group, and once more for the group's end.
REQUEST_TURN_SECONDS = 10.0
#: After so long a group is told to come again; less than a turn, so that those who wait are told.
REQUEST_NUMBER_SECONDS = 8.0
#: For its turn at the rate limit, which is counted without Redis otherwise.
REQUEST_LIMIT_TURN_SECONDS = 0.5
#: For its turn to have a password hashed; those before it take half a second each.
PASSWORD_TURN_SECONDS = 10.0
#: A login is told to wait so long while too many others are checked.
PASSWORD_RETRY_AFTER_SECONDS = 2

# --- Health -----------------------------------------------------------------------------------

#: A part that only degrades is not waited for: the answer comes within a second.
HEALTH_SECONDS = 0.7
#: Whether to call the whole service down deserves a second look.
HEALTH_ESSENTIAL_SECONDS = 2.0
#: Its client gives up by itself soon after, so that no thread hangs.
HEALTH_PART_SECONDS = 1.0

# --- Web server -------------------------------------------------------------------------------

#: A server that is to end waits for its requests: two turns, the database's connect and answer.
SERVER_GRACEFUL_SECONDS = 60
#: A process that does not stir for so long is replaced.
SERVER_SILENT_SECONDS = 60
#: Longer than the 60 s for which proxies keep idle connections, so that they close them.
SERVER_KEEPALIVE_SECONDS = 75

# --- Restore ----------------------------------------------------------------------------------

#: For web servers to be gone, and for the workers to empty the queues.
RESTORE_QUIET_SECONDS = 60.0
#: A worker stores what it holds within about so long.
WORKER_HOLDS_SECONDS = 2.0
