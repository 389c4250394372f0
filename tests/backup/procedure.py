"""The commands of docs/backup.md, run exactly as written."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "backup.md").read_text()
LIMIT_SECONDS = 180


def blocks() -> list[str]:
    """All that the page tells to run, block by block."""
    found = re.findall(r"^( *)```bash\n(.*?)^\1```$", PAGE, re.DOTALL | re.MULTILINE)
    return [dedent(text) for _, text in found]


@dataclass(frozen=True)
class Procedure:
    """What an operator does, in the folder of the copies, with this process's settings."""

    folder: Path
    environment: dict[str, str]

    def back_up(self) -> None:
        """Both."""
        self._run("redis-cli")

    def back_up_redis(self) -> None:
        """The first of the lines."""
        self._run("redis-cli", lines=slice(0, 1))

    def back_up_database(self) -> None:
        """The others."""
        self._run("redis-cli", lines=slice(1, None))

    def put_database_back(self) -> None:
        """The dump into the database."""
        self._run("mariadb ")

    def put_redis_back(self) -> None:
        """The copy into the folder of a Redis that is down."""
        self._run("if [ -e")

    def number_on(self, skip: int) -> str:
        """What follows the restore of the database: what the command said."""
        return self._run(".venv/bin/python manage.py new_epoch --restored", SKIP=str(skip))

    def rebuild_index(self) -> None:
        """With what the search worker does left out."""
        self._run(".venv/bin/python manage.py search")

    def check(self) -> str:
        """Counts and audit; what they said."""
        return self._run(".venv/bin/python manage.py reconcile_counts")

    def go_on_with_redis(self) -> str:
        """What follows the restore of Redis alone."""
        return self._run(".venv/bin/python manage.py new_epoch --reason")

    def _run(self, begin: str, *, lines: slice = slice(None), **variables: str) -> str:
        [block] = [block for block in blocks() if block.startswith(begin)]
        script = "".join(block.splitlines(keepends=True)[lines])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout


def prepare(folder: Path, redis_data: Path, environment: Any) -> Procedure:
    """A folder that commands see as the checkout, on the services of this process."""
    for name in (".venv", "manage.py"):
        (folder / name).symlink_to(ROOT / name)
    database = connection.settings_dict
    options = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    lines = [f"{option}={database[name]}" for option, name in options.items()]
    (folder / "database.cnf").write_text("\n".join(["[client]", *lines]))
    redis = urlsplit(environment.redis_url)
    account = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    return Procedure(
        folder,
        {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DATABASE": str(database["NAME"]),
            "DATABASE_URL": f"mysql://{account}/{database['NAME']}",
            "REDIS_URL": environment.redis_url,
            "REDIS_HOST": str(redis.hostname),
            "REDIS_PORT": str(redis.port),
            "REDISCLI_AUTH": str(redis.password),
            "REDIS_DATA": str(redis_data),
            "BROKER_URL": "",
            "ELASTICSEARCH_URL": environment.elasticsearch_url,
            "ELASTICSEARCH_INDEX": environment.elasticsearch_index,
        },
    )
