"""Shared fixtures: the API without a server in between, and a server for the test."""

import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import current_thread, main_thread

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase, override_settings
from pytest_django import DjangoDbBlocker, Settings

from infra import database
from infra.redis_client import forget_servers
from ingest.row_changes import subscribers
from search.backlog import record_changes
from tests.api.client import Api
from tests.live.servers import NO_TLS, EmbeddedServer, migrated_database, stack_url
from tests.redis_cluster import RedisCluster
from tests.redis_server import RedisServer
from tests.vitess.query_log import QueryLog


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the browser tests."""
    what = "leave pictures of the pages that tests in a browser see in this folder"
    parser.addoption("--pictures", type=Path, metavar="FOLDER", help=what)


#: The mark that each of these fixtures brings.
_MARKS = {
    "redis_server": pytest.mark.stack,
    "redis_cluster": pytest.mark.stack,
    "elasticsearch": pytest.mark.stack,
    "driver": pytest.mark.costly,
    "newman": pytest.mark.costly,
}


#: Fixtures of tests that start servers and commands, which take longest, as costly ones do.
_PROCESSES = {"migrated", "checkout", "driver", "newman", "instance", "procedure", "services"}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark tests by what they use, and put the files that take longest first.

    A Redis of a test's own is a service too, and a browser is a program. Each file is run by one
    of the processes that share the tests: one that came last would be waited for.
    """
    slow = set()
    count = Counter(item.path for item in items)
    for item in items:
        used = {*getattr(item, "fixturenames", ())}
        for name in _MARKS.keys() & used:
            item.add_marker(_MARKS[name])
        if used & _PROCESSES or item.get_closest_marker("costly"):
            slow.add(item.path)
    yield
    items.sort(key=lambda item: (item.path not in slow, -count[item.path], item.path))


@pytest.fixture(autouse=True, scope="session")
def backlog_is_subscribed() -> None:
    """As in a process that has Elasticsearch at its start: some tests switch it on later."""
    if record_changes not in subscribers:
        subscribers.append(record_changes)


@pytest.fixture(scope="session", autouse=True)
def no_queue() -> Iterator[None]:
    """What runs in this process uses the test database alone: a stack's workers have another.

    Without keys, too, whatever services a test adds. And each test client loads the middleware
    anew: without listing all static files then.
    """
    alone = {"redis_url": "", "broker_url": "", "elasticsearch_url": "", "require_keys": False}
    environment = settings.ENVIRONMENT.model_copy(update=alone)
    with override_settings(ENVIRONMENT=environment, WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_flush() -> Iterator[None]:
    """Let tests with their own transaction empty all tables except those of permissions.

    Django empties these too, and recreates the same rows with fifty queries after each test.
    """

    @cache
    def statements(alias: str) -> list[str]:
        emptying = connections[alias]
        tables = emptying.introspection.django_table_names(only_existing=True, include_views=False)
        kept = {ContentType._meta.db_table, Permission._meta.db_table}
        emptied = [table for table in tables if table not in kept]
        return list(emptying.ops.sql_flush(no_style(), emptied))

    def empty(case: TransactionTestCase) -> None:
        for each in connections.all():
            each.ops.execute_sql_flush(statements(each.alias))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture(scope="session", autouse=True)
def patient_transactions() -> Iterator[None]:
    """Let the transactions around tests be idle for as long as the tests wait for other things."""

    def be_patient(connection: BaseDatabaseWrapper, **_: object) -> None:
        if getattr(connection, "mysql_is_mariadb", False) and current_thread() is main_thread():
            with connection.cursor() as cursor:
                cursor.execute("SET idle_transaction_timeout = 0")

    connection_created.connect(be_patient)
    yield
    connection_created.disconnect(be_patient)


@pytest.fixture(scope="session", autouse=True)
def query_log() -> QueryLog:
    """On a sharded database, the log of all statements from the first test on."""
    log = QueryLog()
    if "VTGATE_STATUS_URL" in os.environ:
        log.open()
    return log


@pytest.fixture(autouse=True)
def known_to_be_well() -> Iterator[None]:
    """Reset the database's health between tests: a probe may not use the test's database."""
    yield
    database.database_breaker.cache_clear()


@pytest.fixture
def redis_cluster(settings: Settings, tmp_path: Path) -> Iterator[RedisCluster]:
    """A Redis Cluster for the test, which this process uses."""
    with RedisCluster(tmp_path / "cluster") as cluster:
        cluster.use(settings)
        yield cluster
    forget_servers()


@pytest.fixture
def redis_server(settings: Settings, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for the test, which this process uses."""
    with RedisServer(tmp_path) as server:
        settings.ENVIRONMENT = settings.ENVIRONMENT.model_copy(update={"redis_url": server.url})
        yield server
    forget_servers()


@pytest.fixture
def api(db: None) -> Api:
    """The API, called in this process, on the test database."""
    return Api()


@pytest.fixture(scope="module")
def rows_of_module(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Keep rows made by module fixtures until the module's last test, then roll them back.

    Each test with `db` still rolls back its own changes. Tests with a transaction of their own
    cannot be in such a module.
    """
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined] # as Django's own: durable blocks may be within it
    with django_db_blocker.unblock(), block:
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty migrated database for separate processes: made once, to be copied."""
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[EmbeddedServer]:
    """A real server of the embedded profile with a database of its own."""
    with EmbeddedServer(tmp_path_factory.mktemp("embedded"), migrated) as server:
        yield server


@pytest.fixture
def server_url(embedded: EmbeddedServer) -> str:
    """The address of a real server, for what every profile does with the same code."""
    return embedded.url


@pytest.fixture(params=["embedded", pytest.param("stack", marks=pytest.mark.stack)])
def base_url(request: pytest.FixtureRequest) -> str:
    """The address of a real server: once embedded, once the local stack."""
    if request.param == "stack":
        return stack_url()
    server: EmbeddedServer = request.getfixturevalue("embedded")
    return server.url


@pytest.fixture
def http(base_url: str) -> Iterator[httpx.Client]:
    """A client of that server's API."""
    with httpx.Client(base_url=f"{base_url}/api/v1", timeout=60, verify=NO_TLS) as client:
        yield client
