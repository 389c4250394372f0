#!/usr/bin/env python
"""Django's command line; see `manage.py help` and docs/."""

import os
import sys


def main() -> None:
    """Run the command; a database out of reach is said in one sentence."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")
    from django.core.management import execute_from_command_line
    from django.db import InterfaceError, OperationalError

    from chatsystem.preflight import stop_for_database
    from infra.commands import print_exception

    sys.excepthook = print_exception
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, InterfaceError) as error:
        if "--traceback" in sys.argv:
            raise
        stop_for_database("failed", error)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
