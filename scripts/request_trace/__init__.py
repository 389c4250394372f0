"""Count the project's own files that one request executes: `python -m scripts.request_trace`.

A file counts if one of its functions runs in a server process because of the request, from the
moment the request is sent until all its work has ended. In production, the work of a POST includes
storing the row in the worker. Only Python files of the product's packages count, which are
the `root_packages` of the import contracts in pyproject.toml.

Not counted:

- Code that runs at import: module bodies and class bodies.
- Methods that a library generates, such as the `__init__` of a dataclass: they belong to no file.
- Background threads: the numbering process's own tick, the sampler of the dashboard, the probes of
  services that were away (`recording.is_background` knows their names).
- Timers of the event loop, and work that is due only now and then, such as the renewal of a lease:
  a request is recorded several times, and only files that are in all recordings count.
- Code behind a cache that earlier requests have filled. The same request is sent several times
  before the recordings. In production, the check of a key is cached for up to a second.
- The indexing worker. In production, a POST wakes it by a task message, and it writes the index
  later, for many messages at once. The search itself counts.

The servers run with the default settings of their profile, in one web process and one worker. The
embedded profile gets a new database in a temporary folder. Production uses the services that the
environment names, and its worker takes the tasks of the running stack's queues first. It leaves an
application named "Request trace" behind.
"""
