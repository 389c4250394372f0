"""`python -m localstack.launch STATE PROGRAM`: prepares the ground, then becomes the program.

supervisord starts all programs through this. Processes that an earlier life of the program left
behind are killed first: they may still hold its port.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from localstack import network, processes
from localstack.plan import Launch
from localstack.settings import Layout, is_root
from localstack.topology import Part


def main(state: Path, program: str) -> NoReturn:
    """Replace this process by the program."""
    layout = Layout(Path(), state)
    content = json.loads(layout.launch_file(program).read_text())
    launch = Launch(**content | {"part": Part(**content["part"])})
    part = launch.part
    processes.kill(processes.by_program(layout.identity).get(program, []))
    if part.fill and not Path(part.data).exists():
        # All or nothing: what an interrupted run left is removed.
        draft = f"{part.data}.new"
        shutil.rmtree(draft, ignore_errors=True)
        subprocess.run(part.fill, check=True)
        Path(draft).rename(part.data)
    if launch.namespace:
        network.enter(launch.namespace)
    if part.runs_as and is_root():
        account = pwd.getpwnam(part.runs_as)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    if part.scratch:
        shutil.rmtree(part.scratch)
        Path(part.scratch).mkdir(mode=0o700)
    os.chdir(part.directory)
    # Python ignores SIGPIPE, and the program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    marks = processes.markers(layout.identity, part.name, program)
    os.execve(launch.argv[0], launch.argv, {**launch.environment, **marks})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
