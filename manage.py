#!/usr/bin/env python
"""Django's command line; see `manage.py help` and docs/."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command; a database out of reach is said in one sentence."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsystem.settings")
    from django.core.management import execute_from_command_line
    from django.db import InterfaceError, OperationalError

    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, InterfaceError) as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"{Path(sys.argv[0]).name}: the database failed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
