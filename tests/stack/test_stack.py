"""scripts/stack keeps the promises that the fault tests rely on."""

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis

from tests.live.servers import eventually
from tests.stack.instance import GREETING, Instance

pytestmark = pytest.mark.stack

PARTS = ["mariadb", "redis", "rabbitmq", "elasticsearch", "web", "worker", "beat"]
WITHIN_S = 90


def test_every_part_runs_after_up(stack: Instance) -> None:
    status = stack.status()

    assert list(status) == PARTS
    assert {part.state for part in status.values()} == {"running"}
    assert all(part.pids for part in status.values())
    assert [name for name, part in status.items() if part.port is None] == ["worker", "beat"]
    assert stack.web_answers()


def test_status_for_people_has_a_line_for_each_part(stack: Instance) -> None:
    lines = stack.do("status").splitlines()

    assert [line.split()[:2] for line in lines] == [[part, "running"] for part in PARTS]


def test_up_changes_nothing_when_all_run(stack: Instance) -> None:
    before = stack.standing()

    stack.up()

    assert stack.standing() == before


def test_workers_give_way_to_web_processes(stack: Instance) -> None:
    status = stack.status()

    web, worker = (
        {psutil.Process(pid).nice() for pid in status[part].pids} for part in ("web", "worker")
    )

    assert min(worker) > max(web)


def test_two_ups_at_once_both_find_it_ready(stack: Instance) -> None:
    stack.do("kill", "redis")

    with ThreadPoolExecutor(max_workers=2) as pool:
        for both in [pool.submit(stack.up), pool.submit(stack.up)]:
            both.result()

    assert stack.status()["redis"].state == "running"


def test_env_can_be_read_by_a_shell(stack: Instance) -> None:
    env = stack.env()
    status = stack.status()

    assert env["BASE_URL"] == f"http://127.0.0.1:{status['web'].port}"
    assert env["DATABASE_URL"].endswith(f"@127.0.0.1:{status['mariadb'].port}/chatsystem")
    assert env["REDIS_URL"].endswith(f"@127.0.0.1:{status['redis'].port}/0")
    assert env["BROKER_URL"].endswith(f"@127.0.0.1:{status['rabbitmq'].port}//")
    assert env["ELASTICSEARCH_URL"] == f"http://127.0.0.1:{status['elasticsearch'].port}"
    assert (env["WEB_CONCURRENCY"], env["REQUIRE_KEYS"], env["RATE_LIMIT"]) == ("1", "0", "")
    assert env["GREETING"] == GREETING


def test_the_web_server_has_the_same_environment(stack: Instance) -> None:
    in_process = psutil.Process(stack.status()["web"].pids[0]).environ()

    for name in ("DATABASE_URL", "SECRET_KEY", "GREETING"):
        assert in_process[name] == stack.env()[name]


def test_nothing_listens_beyond_the_loopback_interface(stack: Instance) -> None:
    addresses = {
        connection.laddr[0]
        for process in stack.processes()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_what_was_killed_stays_down_and_what_died_comes_back(stack: Instance) -> None:
    before = stack.status()
    stack.do("kill", "redis")
    os.kill(before["beat"].pids[0], signal.SIGKILL)

    def beat_is_back() -> bool:
        beat = stack.status()["beat"]
        return beat.state == "running" and beat.pids not in {(), before["beat"].pids}

    eventually(beat_is_back, WITHIN_S, "beat runs again")
    assert stack.status()["redis"] == type(before["redis"])("stopped", (), before["redis"].port)
    assert stack.status()["mariadb"] == before["mariadb"]

    stack.do("start", "redis")
    assert stack.status()["redis"].state == "running"


def test_kill_hits_every_process_of_a_part(stack: Instance) -> None:
    victims = [psutil.Process(pid) for pid in stack.status()["web"].pids]

    stack.do("kill", "web")

    assert len(victims) > 1
    assert not any(victim.is_running() and victim.status() != "zombie" for victim in victims)
    assert stack.status()["web"].state == "stopped"


def test_a_killed_parent_leaves_no_orphans_that_hold_its_port(stack: Instance) -> None:
    before = stack.status()["web"].pids
    os.kill(before[0], signal.SIGKILL)

    eventually(
        lambda: not set(before) & set(stack.status()["web"].pids), WITHIN_S, "the old ones are gone"
    )
    eventually(stack.web_answers, WITHIN_S, "the web server answers again")


def test_a_paused_part_hangs_until_it_is_resumed(stack: Instance) -> None:
    before = stack.status()["web"]

    stack.do("pause", "web")
    assert stack.status()["web"].state == "paused"
    assert not stack.web_answers()

    stack.do("resume", "web")
    assert stack.status()["web"] == before
    eventually(stack.web_answers, WITHIN_S, "the web server answers again")


def test_up_resumes_what_is_paused(stack: Instance) -> None:
    before = stack.status()["redis"]
    stack.do("pause", "redis")

    stack.up()

    assert stack.status()["redis"] == before


def test_a_stopped_worker_stays_down_until_start(stack: Instance) -> None:
    stack.do("stop", "worker")
    assert stack.status()["worker"].state == "stopped"
    assert stack.try_to("status").returncode == 1

    stack.do("start", "worker")
    assert stack.status()["worker"].state == "running"


def test_a_wiped_redis_is_down_and_then_empty(stack: Instance) -> None:
    with redis.Redis.from_url(stack.env()["REDIS_URL"]) as client:
        client.set("written-before", 1)

    stack.do("wipe", "redis")
    assert stack.status()["redis"].state == "stopped"

    stack.do("start", "redis")
    with redis.Redis.from_url(stack.env()["REDIS_URL"]) as client:
        assert not client.exists("written-before")


def test_servers_of_a_chosen_folder_are_used_until_up_is_told_otherwise(
    stack: Instance, tmp_path: Path
) -> None:
    def command() -> str:
        [pid] = stack.status()["redis"].pids
        return psutil.Process(pid).cmdline()[0]

    systems = command()
    chosen = tmp_path / "redis-server"
    chosen.symlink_to(systems)
    stack.environ["STACK_PATH"] = str(tmp_path)
    stack.up()
    assert command() == str(chosen)

    del stack.environ["STACK_PATH"]
    stack.do("kill", "redis")
    stack.do("start", "redis")
    assert command() == str(chosen)

    stack.up()
    assert command() == systems


def test_wiping_the_database_is_refused(stack: Instance) -> None:
    before = stack.status()["mariadb"]

    refused = stack.try_to("wipe", "mariadb")

    assert refused.returncode == 1
    assert "mariadb" in refused.stderr
    assert stack.status()["mariadb"] == before


def test_another_number_of_web_processes_concerns_only_them(stack: Instance) -> None:
    before, processes = stack.standing(), len(stack.status()["web"].pids)

    stack.up("--web", "2")

    after = stack.standing()
    assert len(stack.status()["web"].pids) > processes
    assert {name for name in PARTS if after[name] != before[name]} == {"web"}


def test_a_port_that_is_taken_is_named_and_nothing_is_touched(stack: Instance) -> None:
    before = stack.standing()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]

        refused = stack.try_to("up", "--port", str(port))

    assert refused.returncode == 1
    assert f"port {port} is taken" in refused.stderr
    assert stack.standing() == before


def test_down_leaves_no_process_and_reset_no_file(stack: Instance) -> None:
    assert stack.processes()

    stack.do("down")
    assert stack.processes() == []
    assert {part.state for part in stack.status().values()} == {"stopped"}
    assert any((stack.folder / "data" / "mariadb").iterdir())

    stack.do("reset")
    assert not stack.folder.exists()
