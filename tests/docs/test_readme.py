"""What the README shows is what happens: its commands are run, its tables compared."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from chatsystem.env import Environment
from tests.live.servers import MakeRun

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()
#: What differs from run to run: tokens, times, request ids, progress and durations.
VOLATILE = re.compile(
    r"\b[0-9a-f]{24}\b|\b[0-9a-f]{32}\b|\d{4}-\d\d-\d\dT[\d:.]+Z|\d+(\.\d+)? ?s\b|127\.0\.0\.1:\d+"
)


pytestmark = pytest.mark.embedded


@dataclass(frozen=True)
class Step:
    """A command as it is shown after "$", and the output shown below it."""

    command: str
    output: str


def steps() -> list[Step]:
    """All commands of the README's console blocks, in their order."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    parts = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [Step(command, output.strip()) for command, output in parts]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that commands see as the checkout, so that their files stay out of the real one."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (".venv", "manage.py"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="module")
def running(checkout: Path) -> Iterator[MakeRun]:
    with MakeRun(checkout) as server:
        yield server


def test_the_session_of_the_readme_goes_as_shown(running: MakeRun, checkout: Path) -> None:
    marker = "=====next====="
    script = "set -e\n" + "".join(f"{step.command}\necho; echo {marker}\n" for step in steps())

    ran = subprocess.run(
        ["bash", "-c", script.replace("http://127.0.0.1:8000", running.url)],
        cwd=checkout,
        env=running.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    for step, output in zip(steps(), ran.stdout.split(marker), strict=False):
        assert VOLATILE.sub("…", output.strip()) == VOLATILE.sub("…", step.output), step.command


def test_the_table_of_settings_is_complete() -> None:
    shown = re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)

    assert sorted(shown) == sorted(name.upper() for name in Environment.model_fields)


def test_every_make_target_and_command_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(re.findall(r"manage\.py ([a-z_]+)", README))

    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets
    for command in commands:
        module = load_command_class(get_commands()[command], command)
        assert module.create_parser("manage.py", command).format_help()


def test_every_link_within_the_repository_resolves() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page}: {target}"
