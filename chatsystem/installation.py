"""The folder, files and secret key that Django's settings need; the process ends without them."""

import os
import re
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NoReturn

from django.core.management.utils import get_random_secret_key

from infra.logs.formatting import visible

#: The permission bits of other users.
_OTHERS = 0o077
#: The names of this service's files in VAR_DIR begin with one of these.
_OURS = ("chatsystem.sqlite3", "test.sqlite3", "beat-schedule", "secret_key", "metrics")
#: The default of VAR_DIR.
DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "var"
#: The least length of the key that signs sessions.
SECRET_KEY_CHARACTERS = 32
#: A random secret has more different characters.
_FEWEST_DIFFERENT = 5
_PLACEHOLDER = re.compile(r"change.?me|example|insecure|placeholder|random.value", re.IGNORECASE)


def stop(sentence: str) -> NoReturn:
    """End the process with this sentence and a status that supervisors do not restart."""
    # Celery replaces sys.stderr by a logger.
    stderr = sys.__stderr__ or sys.stderr
    stderr.write(f"chatsystem cannot start: {visible(sentence)}\n")
    stderr.flush()
    raise SystemExit(78)


def keep_private() -> None:
    """Close all files that this process and its children create to other users.

    The database holds all messages and sessions, an export whole conversations, and beat's schedule
    is read with pickle. So the umask of the environment does not count.
    """
    os.umask(_OTHERS)


def make_folder(folder: Path) -> None:
    """Create the folder if it is missing, and close this service's files in it; or end the process.

    The folder itself is closed only if nothing else lies in it: a service that runs as root and
    closed /srv would lock out the whole machine. `is_open` reports a folder that stayed open.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        stop(f"VAR_DIR {folder} cannot be created: {error.strerror}")
    ours = [name for name in names if name.startswith(_OURS)]
    close(folder / name for name in ours)
    if ours == names or folder == DEFAULT_FOLDER:
        close([folder])


def close(paths: Iterable[Path]) -> None:
    """Close the files and folders that exist and belong to this user."""
    for path in paths:
        with suppress(OSError):
            found = path.stat()
            is_shared = bool(found.st_mode & stat.S_ISVTX)
            if found.st_uid == os.geteuid() and found.st_mode & _OTHERS and not is_shared:
                path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


def is_open(folder: Path) -> bool:
    """Whether other users may look into the folder."""
    return bool(folder.stat().st_mode & _OTHERS)


def database_files(name: str) -> list[Path]:
    """A SQLite database and the files that SQLite keeps beside it."""
    return [Path(f"{name}{ending}") for ending in ("", "-wal", "-shm", "-journal")]


def embedded_secret_key(folder: Path) -> str:
    """The secret key of this installation, created at the first start of the embedded profile."""
    path = folder / "secret_key"
    if not path.exists():
        with NamedTemporaryFile("w", dir=folder) as draft:
            draft.write(get_random_secret_key())
            draft.flush()
            # A link appears whole or not at all, and never replaces a rival's.
            with suppress(FileExistsError):
                os.link(draft.name, path)
    key = path.read_text()
    if why := guessable(key, SECRET_KEY_CHARACTERS):
        stop(f"the key in {path} {why}: remove the file to get a new key")
    return key


def guessable(secret: str, fewest: int) -> str:
    """Why the secret could be guessed, or an empty text. It needs `fewest` characters."""
    if len(secret) < fewest:
        return f"has only {len(secret)} characters of at least {fewest}"
    if len(set(secret)) < _FEWEST_DIFFERENT:
        return "consists of very few different characters"
    # A text that repeats a shorter one occurs inside its double.
    if secret in (secret + secret)[1:-1]:
        return "repeats a shorter text"
    if _PLACEHOLDER.search(secret):
        return "is a placeholder of an example"
    return ""


def package_folder(name: str) -> Path:
    """The folder of an installed package, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        stop(f"the package {name} is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent
