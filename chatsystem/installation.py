"""What must be there before Django can be set up, and the end of the process where it is not."""

import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NoReturn

from django.core.management.utils import get_random_secret_key

from core.text import visible


def stop(sentence: str) -> NoReturn:
    """End the process with this sentence, in a way that no server takes for a crash to repeat."""
    # Celery has put a logger in the place of sys.stderr by now.
    stderr = sys.__stderr__ or sys.stderr
    stderr.write(f"chatsystem cannot start: {visible(sentence)}\n")
    stderr.flush()
    raise SystemExit(78)


def make_folder(folder: Path) -> None:
    """Make sure of the folder, or end the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        stop(f"VAR_DIR {folder} cannot be made: {error.strerror}")


def embedded_secret_key(folder: Path) -> str:
    """A secret of this installation's own, made at the first start of the embedded profile."""
    path = folder / "secret_key"
    if not path.exists():
        with NamedTemporaryFile("w", dir=folder) as draft:
            draft.write(get_random_secret_key())
            draft.flush()
            # A link appears whole or not at all, and never replaces a rival's.
            with suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text()


def package_folder(name: str) -> Path:
    """Where an installed package lies, without loading it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        stop(f"the package {name} is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent
