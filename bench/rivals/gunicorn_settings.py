"""Gunicorn's settings for the other designs: the product's without its start-up checks, or threads.

With --config pointing here, gunicorn does not read the product's gunicorn.conf.py by itself.
"""

import os
from runpy import run_path

from bench.processes import ROOT

if os.environ["BENCH_PRODUCT_SERVER"]:
    globals().update({
        name: value
        for name, value in run_path(str(ROOT / "gunicorn.conf.py")).items()
        if not name.startswith("_") and name != "on_starting"
    })  # fmt: skip
else:
    worker_class = "gthread"
    # As the product's: the kernel spreads the connections over the processes.
    reuse_port = True
    backlog = 4096
    keepalive = 75
    control_socket_disable = True
