"""A separate process that takes one number for each line on its standard input.

Its arguments are the application's token and the URLs of the database and of Redis.
"""

import os
import sys


def main() -> None:
    """Answer each line with the number of a new chat."""
    token, database, redis = sys.argv[1:]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "chatsystem.settings",
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "BROKER_URL": "",
    }
    import django  # noqa: PLC0415 - reads the environment

    django.setup()
    from ingest import commit  # noqa: PLC0415 - needs the apps to be loaded
    from tests.numbering.processes import Process  # noqa: PLC0415 - likewise

    vars(commit)["deliver"] = lambda _: None  # the rows stay pending
    with Process() as process:
        for _ in sys.stdin:
            sys.stdout.write(f"{process.chats(token)[0]}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
