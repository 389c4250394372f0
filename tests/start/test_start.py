"""Invalid settings stop every process at its start, with one sentence and no traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chatsystem import env
from tests.live.servers import SERVICES, free_port

NOTHING_LISTENS = f"127.0.0.1:{free_port()}"

KEY = "3f1e0c9ab57d42868b0c6d1f7e2a94c5"

PROCESSES = {
    "serve": ["manage.py", "serve"],
    "gunicorn": ["-m", "gunicorn", "-c", "gunicorn.conf.py"],
    "worker": ["-m", "celery", "-A", "chatsystem", "worker"],
    "beat": ["-m", "celery", "-A", "chatsystem", "beat"],
    "migrate": ["manage.py", "migrate"],
}


def production(key: str) -> dict[str, str]:
    """Settings of a production with this SECRET_KEY."""
    return {"REDIS_URL": "redis://h/0", "SECRET_KEY": key}


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "a database URL that is none": ({"DATABASE_URL": "nonsense"}, "DATABASE_URL must begin with"),
    "a database of another kind": ({"DATABASE_URL": "oracle://x/y"}, "DATABASE_URL must begin"),
    "a port out of range": ({"REDIS_URL": "redis://h:99999/0", "SECRET_KEY": KEY}, "REDIS_URL"),
    "a bad broker URL": ({"BROKER_URL": "http://h/"}, "BROKER_URL must begin with amqp://"),
    "a bad index URL": ({"ELASTICSEARCH_URL": "elastic"}, "ELASTICSEARCH_URL must begin with"),
    "DEBUG with REQUIRE_KEYS": ({"DEBUG": "1", "REQUIRE_KEYS": "1"}, "DEBUG and REQUIRE_KEYS"),
    "no SECRET_KEY in production": ({"REDIS_URL": "redis://h/0", "SECRET_KEY": ""}, "SECRET_KEY"),
    "a short SECRET_KEY": (production("x"), "SECRET_KEY has only 1 characters of at least 32"),
    "a SECRET_KEY a little too short": (production(KEY[1:]), "SECRET_KEY has only 31 characters"),
    "a SECRET_KEY of one character": (production("s" * 50), "SECRET_KEY consists of very few"),
    "a SECRET_KEY that repeats itself": (production("passw0rd" * 5), "SECRET_KEY repeats"),
    "a SECRET_KEY of an example": (
        production("django-insecure-" + KEY),
        "SECRET_KEY is a placeholder",
    ),
    "a token that repeats itself": ({"METRICS_TOKEN": "secret12" * 2}, "METRICS_TOKEN repeats"),
    "a token of one character": ({"METRICS_TOKEN": "a" * 20}, "METRICS_TOKEN consists of very few"),
    "a number that is none": ({"WEB_THREADS": "many"}, "WEB_THREADS"),
    "a number out of range": ({"WEB_THREADS": "0"}, "WEB_THREADS must be between 1 and 1024"),
    "an origin that is none": ({"CORS_ORIGINS": "example.org"}, "CORS_ORIGINS must be origins"),
    "an origin with a path": ({"CORS_ORIGINS": "https://a.org/x"}, "CORS_ORIGINS must be origins"),
    "a rate that is none": ({"RATE_LIMIT": "100"}, "RATE_LIMIT: a rate is a number from 1 to"),
    "a rate too high": ({"RATE_LIMIT": "1000001/s"}, "RATE_LIMIT: a rate is a number from 1 to"),
    "a short token": ({"METRICS_TOKEN": "short"}, "METRICS_TOKEN must be 16 or more"),
    "a network that is none": ({"OPERATOR_NETWORKS": "here"}, "OPERATOR_NETWORKS must be networks"),
    "a switch that is none": ({"DEBUG": "perhaps"}, "DEBUG"),
}


def start(process: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    rest = {name: value for name, value in os.environ.items() if name not in SERVICES}
    return subprocess.run(
        [sys.executable, *PROCESSES[process]],
        cwd=Path(__file__).resolve().parent.parent.parent,
        env={**rest, "PORT": str(free_port()), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_one_sentence(ended: subprocess.CompletedProcess[str], sentence: str) -> None:
    output = ended.stdout + ended.stderr
    assert ended.returncode not in (0, None), output
    assert "Traceback" not in output
    assert sentence in output
    assert len([line for line in output.splitlines() if "cannot start" in line]) == 1


@pytest.mark.parametrize("wrong", WRONG)
def test_settings_are_refused_with(
    wrong: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings, sentence = WRONG[wrong]
    for name in SERVICES:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        env.read()

    [said] = capfd.readouterr().err.splitlines()
    assert said.startswith("chatsystem cannot start: ")
    assert sentence in said


@pytest.mark.parametrize(
    ("given", "required"),
    [
        ({}, False),
        ({"REQUIRE_KEYS": "1"}, True),
        ({"REDIS_URL": "redis://h/0", "SECRET_KEY": KEY}, True),
        ({"REDIS_URL": "redis://h/0", "SECRET_KEY": KEY, "REQUIRE_KEYS": "0"}, False),
    ],
)
def test_keys_are_required_by_default_where_a_service_is_set(
    given: dict[str, str], required: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*SERVICES, "REQUIRE_KEYS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert env.read().keys_required is required


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, True),
        ({"DEMO": "0"}, False),
        ({"DEMO": "0", "DEBUG": "1"}, False),
        ({"REDIS_URL": "redis://h/0", "SECRET_KEY": KEY}, False),
        ({"REDIS_URL": "redis://h/0", "SECRET_KEY": KEY, "DEMO": "1"}, True),
        (
            {"REDIS_URL": "redis://h/0", "SECRET_KEY": KEY, "DEBUG": "1", "REQUIRE_KEYS": "0"},
            True,
        ),
    ],
)
def test_the_demo_is_off_in_production_unless_it_is_switched_on(
    given: dict[str, str], shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*SERVICES, "REQUIRE_KEYS", "DEBUG", "DEMO"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert env.read().shows_demo is shown


@pytest.mark.parametrize("key", [KEY, "7301948265" * 3 + "19", "Kq" + "u7_-x!Zp" * 4])
def test_a_random_secret_key_is_taken(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SERVICES:
        monkeypatch.delenv(name, raising=False)
    for name, value in production(key).items():
        monkeypatch.setenv(name, value)

    assert env.read().secret_key == key


@pytest.mark.costly
@pytest.mark.parametrize("process", PROCESSES)
def test_wrong_settings_stop(process: str) -> None:
    settings, sentence = WRONG["DEBUG with REQUIRE_KEYS"]

    assert_one_sentence(start(process, settings), sentence)


@pytest.mark.costly
@pytest.mark.parametrize("process", ["serve", "worker", "beat", "migrate"])
def test_an_unreachable_database_stops(process: str) -> None:
    # `serve` has become gunicorn by then.
    settings = {"DATABASE_URL": "sqlite:////nowhere/chat.sqlite3"}

    assert_one_sentence(start(process, settings), "sqlite:////nowhere/chat.sqlite3")


@pytest.mark.stack
def test_an_unreachable_database_server_stops_without_a_word_of_its_password() -> None:
    settings = {
        "DATABASE_URL": f"mysql://chat:secret@{NOTHING_LISTENS}/chat",
        "SECRET_KEY": KEY,
    }

    ended = start("serve", settings)

    assert_one_sentence(ended, NOTHING_LISTENS)
    assert "secret" not in ended.stdout + ended.stderr


@pytest.mark.costly
def test_a_database_without_its_migrations_stops(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}"}

    assert_one_sentence(start("beat", settings), "run manage.py migrate")


@pytest.mark.costly
def test_a_port_that_is_taken_stops_the_server(migrated: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        settings = {"DATABASE_URL": f"sqlite:///{migrated}", "PORT": port}

        assert_one_sentence(start("serve", settings), f"port {port}")


@pytest.mark.costly
def test_what_is_stored_is_known_without_the_admin() -> None:
    code = (
        "from chatsystem import settings\n"
        "place = settings.INSTALLED_APPS.index('django.contrib.admin')\n"
        "settings.INSTALLED_APPS[place] = 'django.contrib.admin.apps.SimpleAdminConfig'\n"
        "import django; django.setup()\n"
        "from ingest.records import record_types\n"
        "print(*[(kind.name, kind.count_field) for kind in record_types().values()])"
    )
    rest = {name: value for name, value in os.environ.items() if name not in SERVICES}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parent.parent.parent,
        env={**rest, "DJANGO_SETTINGS_MODULE": "chatsystem.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    # Parents come before their children.
    assert ended.stdout == "('chats', 'chats_count') ('messages', 'messages_count')\n"
