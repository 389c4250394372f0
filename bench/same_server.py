"""The product's server for another project: `python -m bench.same_server PORT PROCESSES`."""

import sys

from chatsystem.web_server import serve

if __name__ == "__main__":
    serve("bench.asgi:application", "127.0.0.1", int(sys.argv[1]), int(sys.argv[2]), logs=None)
