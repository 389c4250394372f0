"""Gunicorn's settings for the designs whose requests each have a thread.

Without such a module it would read the product's gunicorn.conf.py.
"""

worker_class = "gthread"
# As the product's: the kernel spreads the connections over the processes.
reuse_port = True
backlog = 4096
keepalive = 75
control_socket_disable = True
