"""Where everything of one stack lies.

The state folder holds all of it: removing the folder removes the stack. Its path also is the
stack's identity, by which its processes are told from those of any other stack.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from localstack.errors import StackError
from localstack.parts import Part

SHARED_STATE = Path("/var/lib/chatsystem-stack")
LONGEST_SOCKET_PATH = 107
LONGEST_SOCKET_NAME = "run/supervisor.sock.1234567"


def is_root() -> bool:
    """Root's services may have to run as somebody else, so some paths differ."""
    return os.geteuid() == 0


@dataclass(frozen=True)
class Layout:
    """The checkout whose code runs, and the state folder."""

    checkout: Path
    state: Path

    @property
    def identity(self) -> str:
        """The same for the same state folder, even when its content was lost."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:16]

    @property
    def scripts(self) -> Path:
        """The folder that this package is imported from."""
        return self.checkout / "scripts"

    @property
    def binaries(self) -> Path:
        """The virtual environment's commands."""
        return self.checkout / ".venv" / "bin"

    @property
    def run(self) -> Path:
        """Sockets, configuration and other files made anew by each `up`."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        """One file per program, and supervisord's own."""
        return self.state / "logs"

    @property
    def settings_file(self) -> Path:
        """Ports, passwords and the options of the last `up`."""
        return self.state / "settings.json"

    @property
    def lock_file(self) -> Path:
        """Held by whatever changes the stack."""
        return self.state / "lock"

    @property
    def supervisor_socket(self) -> Path:
        """Where supervisord answers."""
        return self.run / "supervisor.sock"

    def data(self, part: Part) -> Path:
        """What `wipe` removes."""
        return self.state / "data" / part

    def log(self, program: str) -> Path:
        """Where a program's output goes."""
        return self.logs / f"{program}.log"

    def specification(self, program: str) -> Path:
        """How a program is to be started, for the launcher."""
        return self.run / "programs" / f"{program}.json"

    def check(self) -> None:
        """Raise when nothing could work in this place, before anything is made there."""
        longest = self.state / LONGEST_SOCKET_NAME
        if len(os.fsencode(longest)) > LONGEST_SOCKET_PATH:
            raise StackError(
                f"{self.state} is too long a path for unix sockets: set STACK_DIR to a shorter one"
            )
        closed = [folder for folder in self.state.parents if not _is_open_to_all(folder)]
        if closed and is_root():
            raise StackError(
                f"Elasticsearch runs as another user, who cannot pass through {closed[-1]}: "
                "set STACK_DIR to a folder that everyone can reach"
            )

    def create(self) -> None:
        """Make the folders; where other users' services lie they may pass, but see no names."""
        passages = [self.state, self.run, self.state / "data"]
        if self.state.parent == SHARED_STATE:
            passages.insert(0, SHARED_STATE)
        for folder in passages:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        for folder in (self.logs, self.specification("any").parent):
            folder.mkdir(mode=0o700, exist_ok=True)


def find_layout() -> Layout:
    """The stack of this checkout, or the one that STACK_DIR names."""
    checkout = Path(__file__).resolve().parents[2]
    return Layout(checkout=checkout, state=_state_folder(checkout))


def _state_folder(checkout: Path) -> Path:
    if given := os.environ.get("STACK_DIR"):
        return Path(given).absolute().resolve()
    if is_root():
        return SHARED_STATE / hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    return checkout / ".stack"


def _is_open_to_all(folder: Path) -> bool:
    return not folder.exists() or bool(folder.stat().st_mode & 0o001)
