"""Files that the service writes are closed to other users, whatever the umask."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from django.core.management import call_command
from pytest_django import Settings

from applications.services import create_application
from chatsystem import installation
from tests.live.servers import (
    DATABASE,
    NO_TLS,
    ROOT,
    embedded_environment,
    eventually,
    free_port,
    manage,
)

pytestmark = pytest.mark.costly

SERVE = [sys.executable, "manage.py", "serve"]
BEAT = [sys.executable, "-m", "celery", "-A", "chatsystem", "beat"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_paths(folder: Path) -> dict[str, str]:
    """The folder and what lies in it, as far as other users may do anything with it."""
    paths = [folder, *folder.rglob("*")]
    return {str(path): oct(mode(path)) for path in paths if mode(path) & 0o077}


def run(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command by somebody who closes nothing by himself."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=embedded_environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=120,
        umask=0,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_all_that_runs_writes_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "var"
    run("migrate", folder=folder)
    port = free_port()
    environment = embedded_environment(folder, PORT=str(port))
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment, umask=0) for command in (SERVE, BEAT)
    ]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=NO_TLS) as client:

            def is_stored() -> bool:
                try:
                    answer = client.post("/api/v1/applications", json={"name": "Acme"})
                except httpx.TransportError:
                    return False
                return answer.status_code == 201

            eventually(is_stored, 60, "the server answers", every=0.2)
            wanted = ["secret_key", DATABASE, f"{DATABASE}-wal"]
            wanted += [f"{DATABASE}-shm", "beat-schedule*", "metrics/*.db"]
            for pattern in wanted:
                eventually(lambda: any(folder.glob(pattern)), 60, pattern)  # noqa: B023 - at once
            found = open_paths(folder)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)

    assert found == {}
    assert mode(folder) == 0o700
    assert mode(folder / DATABASE) == 0o600
    assert open_paths(folder) == {}


def test_an_export_is_for_its_user_alone(tmp_path: Path, db: None) -> None:
    call_command(
        "export_conversations",
        create_application(name="Archive").token,
        output=tmp_path / "out.jsonl",
    )

    assert mode(tmp_path / "out.jsonl") == 0o600


def test_what_was_open_is_closed(tmp_path: Path, migrated: Path) -> None:
    folder = tmp_path / "var"
    (folder / "metrics").mkdir(parents=True)
    shutil.copy(migrated, folder / DATABASE)
    for name in ("beat-schedule", "beat-schedule.db", "chatsystem.sqlite3-wal", "metrics/lock"):
        (folder / name).touch()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)

    run("check", folder=folder)

    assert set(open_paths(folder)) <= {str(folder / "metrics" / "lock")}
    assert mode(folder) == 0o700
    assert mode(folder / "metrics") == 0o700
    assert mode(folder / DATABASE) == 0o600


def test_what_is_among_the_files_of_others_is_closed_and_no_more(
    tmp_path: Path, migrated: Path
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "report.txt").touch()
    (folder / "report.txt").chmod(0o644)
    for name in (DATABASE, "chat.db"):
        shutil.copy(migrated, folder / name)
        (folder / name).chmod(0o644)
    folder.chmod(0o755)

    run("check", folder=folder, DATABASE_URL=f"sqlite:///{folder / 'chat.db'}")
    settings = {"DATABASE_URL": "sqlite:////nowhere/chat.sqlite3"}
    refused = manage("serve", environment=embedded_environment(folder, **settings))

    assert (mode(folder), mode(folder / "report.txt")) == (0o755, 0o644)
    assert mode(folder / DATABASE) == 0o600
    assert mode(folder / "chat.db") == 0o600
    assert "folder.open" in refused.stderr
    assert str(folder) in refused.stderr


@pytest.mark.parametrize("names", [[], ["report.txt", "secret_key"]])
def test_a_folder_that_all_share_is_left_open(tmp_path: Path, names: list[str]) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
        (folder / name).chmod(0o644)
    folder.chmod(0o1777)

    installation.make_folder(folder)

    assert mode(folder) == 0o1777
    assert {name: mode(folder / name) for name in names} == dict(
        zip(names, [0o644, 0o600], strict=False)
    )


def test_collected_files_can_be_served_by_others(tmp_path: Path, settings: Settings) -> None:
    settings.STATIC_ROOT = str(tmp_path / "static")

    call_command("collectstatic", interactive=False, verbosity=0)

    assert mode(tmp_path / "static" / "admin" / "css") == 0o755
    assert mode(tmp_path / "static" / "admin" / "css" / "base.css") == 0o644
