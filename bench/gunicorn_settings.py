"""Gunicorn's settings; without such a module it would read the product's gunicorn.conf.py."""

worker_class = "gthread"
keepalive = 75
control_socket_disable = True
