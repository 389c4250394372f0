"""The commands of docs/backup.md, run as they are written there."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

from tests.commands import run_as_manage_py

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "backup.md").read_text()
LIMIT_SECONDS = 180
_MANAGE = ".venv/bin/python manage.py"


def blocks() -> list[str]:
    """All command blocks of the page."""
    found = re.findall(r"^( *)```bash\n(.*?)^\1```$", PAGE, re.DOTALL | re.MULTILINE)
    return [dedent(text) for _, text in found]


@dataclass(frozen=True)
class Procedure:
    """An operator's steps, in the folder of the copies, with this process's settings.

    With `in_process`, manage.py runs in this process, with the arguments that the page has: a
    process for each command is most of the time that a restore takes.
    """

    folder: Path
    environment: dict[str, str]
    in_process: bool = True

    def back_up(self) -> None:
        """Back up Redis and the database."""
        self._run("redis-cli")

    def back_up_redis(self) -> None:
        """Back up Redis alone: the block's first line."""
        self._run("redis-cli", lines=slice(0, 1))

    def back_up_database(self) -> None:
        """Back up the database alone: the block's other lines."""
        self._run("redis-cli", lines=slice(1, None))

    def put_database_back(self) -> None:
        """Load the dump into the database."""
        self._run("mariadb ")

    def put_redis_back(self) -> None:
        """Copy the backup into the folder of a stopped Redis."""
        self._run("if [ -e")

    def number_on(self, skip: int) -> str:
        """Begin a new epoch after a restore of the database; return the output."""
        return self._run(f"{_MANAGE} new_epoch --restored", SKIP=str(skip))

    def rebuild_index(self) -> None:
        """With what the search worker does left out."""
        self._run(f"{_MANAGE} search")

    def check(self) -> str:
        """Run the count job and the audit; return their output."""
        return self._run(f"{_MANAGE} reconcile_counts")

    def go_on_with_redis(self) -> str:
        """Begin a new epoch after a restore of Redis alone; return the output."""
        return self._run(f"{_MANAGE} new_epoch --reason")

    def _run(self, begin: str, *, lines: slice = slice(None), **variables: str) -> str:
        [block] = [block for block in blocks() if block.startswith(begin)]
        script = "".join(block.splitlines(keepends=True)[lines])
        if self.in_process and begin.startswith(_MANAGE):
            return "".join(
                _manage(Template(line).substitute(variables)) for line in script.splitlines()
            )
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


def _manage(line: str) -> str:
    """The output of a line that runs manage.py, which must succeed."""
    status, output, errors = run_as_manage_py(*shlex.split(line.removeprefix(_MANAGE)))
    assert status == 0, f"{line}\n{output}{errors}"
    return output


def prepare(folder: Path, redis_data: Path, environment: Any) -> Procedure:
    """A folder that commands take for the checkout, with the services of this process."""
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
