"""`python -m localstack.launch STATE PROGRAM`: becomes the program, on clean ground.

supervisord starts programs through this. Before the program begins, whatever a former life of it
left behind (children that outlived a killed parent, and still hold its port) is killed, and an
empty data folder is filled.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from localstack import processes
from localstack.layout import Layout
from localstack.waiting import wait_until

PORT_LIMIT_S = 30


def main(state: Path, program: str) -> NoReturn:
    """Prepare the ground and replace this process."""
    layout = Layout(checkout=Path(), state=state)
    specification = json.loads(layout.specification(program).read_text())
    processes.kill(processes.of_program(layout.identity, program))
    if scratch := specification["scratch"]:
        _empty(Path(scratch))
    if initialisation := specification["initialisation"]:
        _initialise(Path(initialisation["folder"]), initialisation["argv"])
    if port := specification["needs_port"]:
        wait_until(
            lambda: _listens(port),
            limit_s=PORT_LIMIT_S,
            failure=f"nothing listened on port {port}",
        )
    _become(layout, program, specification)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _initialise(folder: Path, argv: list[str]) -> None:
    """All or nothing: what was interrupted is thrown away the next time."""
    if folder.exists():
        return
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    subprocess.run([argument.format(folder=draft) for argument in argv], check=True)
    draft.rename(folder)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _become(layout: Layout, program: str, specification: dict[str, Any]) -> NoReturn:
    if user := specification["user"]:
        _drop_to(user)
    os.chdir(specification["directory"])
    # Python ignores SIGPIPE, and what is ignored stays so across an exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    argv = specification["argv"]
    marks = processes.markers(layout.identity, program)
    os.execve(argv[0], argv, specification["environment"] | marks)


def _drop_to(user: str) -> None:
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
