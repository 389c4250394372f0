"""MariaDB with the server settings that the application counts on.

The database and its one account are made by an init file at each start, before the server
listens; nobody ever connects as its administrator.
"""

import os
import pwd

from localstack.layout import Layout, is_root
from localstack.parts import Part
from localstack.processes import program_name
from localstack.program import Initialisation, Program
from localstack.services.binaries import SYSTEM_PATH, binary
from localstack.settings import Settings

ACCOUNT = "chatsystem"
DATABASE = "chatsystem"
HOSTS = ("127.0.0.1", "localhost")

CONFIGURATION = """\
[mariadbd]
datadir={data}
socket={run}/server.sock
pid-file={run}/server.pid
init-file={run}/init.sql
port={port}
bind-address=127.0.0.1
skip-name-resolve
skip-log-bin
skip-symbolic-links
character-set-server=utf8mb4
collation-server=utf8mb4_bin
sql-mode=STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION
transaction-isolation=READ-COMMITTED
innodb-flush-log-at-trx-commit=1
innodb-buffer-pool-size=512M
max-connections=400
max-allowed-packet=64M
"""

CLIENT_CONFIGURATION = """\
[client]
protocol=tcp
host=127.0.0.1
port={port}
user={account}
password={password}
connect-timeout=3
"""

INIT = """\
CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
"""

# \\_ is a plain underscore where a database name is a pattern: pytest-django's databases.
INIT_ACCOUNT = """\
CREATE USER IF NOT EXISTS '{account}'@'{host}' IDENTIFIED BY '{password}';
ALTER USER '{account}'@'{host}' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON `{database}`.* TO '{account}'@'{host}';
GRANT ALL PRIVILEGES ON `test\\_%`.* TO '{account}'@'{host}';
"""


def programs(layout: Layout, settings: Settings) -> list[Program]:
    """The server alone."""
    run = layout.run / Part.MARIADB
    data = layout.data(Part.MARIADB)
    path = settings.options.path
    user = ("--user=root",) if is_root() else ()
    return [
        Program(
            name=program_name(Part.MARIADB),
            part=Part.MARIADB,
            argv=(binary("mariadbd", path), f"--defaults-file={run}/server.cnf", *user),
            directory=str(run),
            environment={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": str(run)},
            files=_files(layout, settings),
            folders=(str(run),),
            initialisation=Initialisation(
                folder=str(data),
                argv=(
                    binary("mariadb-install-db", path),
                    f"--defaults-file={run}/install.cnf",
                    "--datadir={folder}",
                    "--skip-test-db",
                    "--auth-root-authentication-method=socket",
                    f"--auth-root-socket-user={pwd.getpwuid(os.geteuid()).pw_name}",
                    *user,
                ),
            ),
        )
    ]


def client_command(layout: Layout) -> list[str]:
    """A client that is logged in as the application."""
    return [binary("mariadb"), f"--defaults-file={layout.run / Part.MARIADB}/client.cnf"]


def url(settings: Settings) -> str:
    """DATABASE_URL."""
    password, port = settings.secrets.database, settings.ports.mariadb
    return f"mysql://{ACCOUNT}:{password}@127.0.0.1:{port}/{DATABASE}"


def _files(layout: Layout, settings: Settings) -> dict[str, str]:
    run = layout.run / Part.MARIADB
    port, password = settings.ports.mariadb, settings.secrets.database
    server = CONFIGURATION.format(data=layout.data(Part.MARIADB), run=run, port=port)
    client = CLIENT_CONFIGURATION.format(port=port, account=ACCOUNT, password=password)
    accounts = (
        INIT_ACCOUNT.format(account=ACCOUNT, host=host, password=password, database=DATABASE)
        for host in HOSTS
    )
    return {
        f"{run}/server.cnf": server,
        f"{run}/install.cnf": "[mariadbd]\nskip-log-bin\n",
        f"{run}/client.cnf": client,
        f"{run}/init.sql": INIT.format(database=DATABASE) + "".join(accounts),
    }
