"""A full disk for MariaDB: its data moves to a small file system for the duration of the case."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from chaos import stack
from chaos.database import query
from chaos.errors import ChaosError, NotHere
from chaos.fault import Fault

#: Room for the data to grow before the fault.
_SPARE_BYTES = 96 * 1024**2
_BLOCK = 64 * 1024


class FullDisk(Fault):
    """Fills a loop-mounted file system that is slightly larger than the data."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._is_mounted = False

    def prepare(self) -> None:
        """Move MariaDB to the small file system. Raises NotHere if mounting is impossible."""
        if os.geteuid() != 0:
            raise NotHere("only root can mount a small file system")
        if shutil.which("mkfs.ext4") is None:
            raise NotHere("there is no mkfs.ext4 to make a small file system with")
        [(data,)] = query("SELECT @@datadir")
        self._data = Path(data)
        self._folder = Path(tempfile.mkdtemp(prefix="full-disk-"))
        image, place = self._folder / "image", self._folder / "place"
        place.mkdir()
        _make_file_system(image, _size_of(self._data) + _SPARE_BYTES)
        stack.do("stop", "mariadb")
        _mount(image, place)
        try:
            _copy(self._data, place)
        finally:
            _run("umount", str(place))
        _mount(image, self._data)
        self._is_mounted = True
        stack.do("start", "mariadb")

    def inject(self) -> None:
        """Fill the file system."""
        block = b"\0" * _BLOCK
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            # The last write is partial; the next one fails.
            while file.write(block):
                pass

    def heal(self) -> None:
        """Free the space."""
        self._ballast.unlink(missing_ok=True)

    def tidy_up(self) -> None:
        """Move MariaDB's data back, including what was written during the case."""
        if self._is_mounted and self._folder:
            self.heal()
            stack.do("stop", "mariadb")
            moved = self._folder / "moved"
            _copy(self._data, moved)
            _run("umount", str(self._data))
            self._is_mounted = False
            _copy(moved, self._data)
            stack.do("start", "mariadb")
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _ballast(self) -> Path:
        return self._data / "ballast"


def _make_file_system(image: Path, size: int) -> None:
    with image.open("wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-m", "0", str(image))


def _mount(image: Path, place: Path) -> None:
    try:
        _run("mount", "-o", "loop", str(image), str(place))
    except ChaosError as error:
        raise NotHere(f"no small file system can be mounted: {error}") from error


def _copy(source: Path, to: Path) -> None:
    """Make `to` an exact copy of `source`.

    Files are not sparse: a log that is overwritten in place must have its blocks on a full disk.
    """
    to.mkdir(exist_ok=True)
    for path in to.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    _run("cp", "--archive", "--sparse=never", f"{source}/.", str(to))


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*"))


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        raise ChaosError(f"{' '.join(command)}: {result.stderr.strip()}")
