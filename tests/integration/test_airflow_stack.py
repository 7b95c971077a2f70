"""Airflow as services of the local stack: health, deaths, what it listens on, end, errors."""

import os
import queue
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from docker.local.airflow import ApiServer, Scheduler
from docker.local.postgres import Postgres
from docker.local.process import TAG, carriers, running
from docker.local.service import ServiceError
from docker.local.supervisor import Supervisor
from tests.integration.conftest import RunningAirflow, airflow_with, own_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

WAITING = """
import time
from airflow.sdk import dag, task
@dag(schedule=None, catchup=False)
def waiting():
    @task
    def wait():
        print("waiting", flush=True)
        time.sleep(120)
    wait()
waiting()
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAirflow]:
    """An Airflow to be hurt, with one DAG whose task does nothing for two minutes."""
    dags = tmp_path_factory.mktemp("dags")
    (dags / "waiting.py").write_text(WAITING)
    with airflow_with(dags, {}, dead_after=10) as running_airflow:
        yield running_airflow


def until(found: Callable[[], object], seconds: float = 30) -> object:
    """Ask until the answer is true; give it."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
    return answer


def processes(own: RunningAirflow) -> list[psutil.Process]:
    """All processes of this stack, children too."""
    end = f"@{own.settings.market_streams_state}"
    return [process for process, tag in carriers() if tag.endswith(end)]


def listens_on(process: psutil.Process) -> set[tuple[str, int]]:
    """Addresses a process listens on; none for a short-lived helper that has just ended."""
    try:
        connections = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {tuple(each.laddr) for each in connections if each.status == psutil.CONN_LISTEN}


def carried(process: psutil.Process) -> str:
    """Environment and command line of a process; nothing of one that has just ended."""
    try:
        return " ".join([*process.environ().values(), *process.cmdline()])
    except psutil.NoSuchProcess:
        return ""


def pid_of(own: RunningAirflow, name: str) -> int:
    """Pid of a service."""
    found = own.stack.service(name).process.find()
    assert found is not None
    return found.pid


def test_every_service_is_up_by_its_own_heartbeat(own: RunningAirflow) -> None:
    """The table shows pid, health by a real answer, and memory of PostgreSQL and the four."""
    rows = own.stack.status()
    names = ["airflow-api", "airflow-scheduler", "airflow-processor", "airflow-triggerer"]
    assert [row.service for row in rows] == ["postgres", *names]
    assert {row.health for row in rows} == {"up"}
    assert all("heartbeat" in row.detail for row in rows[2:])
    assert all(row.memory > 20 * 2**20 for row in rows)


def test_airflow_listens_on_the_loopback_address_only(own: RunningAirflow) -> None:
    """One port, that of the page; no log servers."""
    listening = {address for process in processes(own) for address in listens_on(process)}
    ports = (own.settings.postgres_port, own.settings.airflow_port)
    assert listening == {("127.0.0.1", port) for port in ports}


def test_secrets_are_in_closed_files_and_in_no_environment(own: RunningAirflow) -> None:
    """Keys and passwords are for their owner alone; processes do not carry them."""
    home = own.settings.airflow_home
    files = [home / name for name in ("airflow.cfg", "keys.json", "passwords.json")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    words = {line.rpartition(":")[2] for line in own.settings.pgpass.read_text().splitlines()}
    words |= set(own.passwords.values())
    for process in processes(own):
        assert not any(word in carried(process) for word in words)


def test_users_differ_in_what_they_may(own: RunningAirflow) -> None:
    """Without a login nothing is shown; a viewer looks, an admin acts."""
    path = "/api/v2/dags/waiting"
    until(lambda: own.call("GET", path)[0] == 200)
    change = {"is_paused": False}
    assert own.call("GET", path, user="viewer")[0] == 200
    assert own.call("PATCH", path, change, user="viewer")[0] == 403
    assert own.call("PATCH", path, change)[0] == 200


def test_airflows_database_is_durable_and_for_airflow_alone(own: RunningAirflow) -> None:
    """Its commits are on disk; analysts, who read everything else, cannot enter it."""
    place = {"host": "127.0.0.1", "port": own.settings.postgres_port, "dbname": "airflow"}
    passfile = str(own.settings.pgpass)
    with (
        psycopg2.connect(**place, user="airflow", passfile=passfile) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)
    connection.close()
    Postgres(own.settings).started()
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(**place, user="analyst", passfile=passfile)


def test_killed_scheduler_leaves_no_task_behind_and_comes_back(own: RunningAirflow) -> None:
    """kill -9 while a task runs: the supervisor's restart ends the orphans first."""
    own.call("PATCH", "/api/v2/dags/waiting", {"is_paused": False})
    runs = "/api/v2/dags/waiting/dagRuns"
    assert own.call("POST", runs, {"logical_date": None, "dag_run_id": "one"})[0] == 200
    tasks = f"{runs}/one/taskInstances/wait"
    until(lambda: own.call("GET", tasks)[1]["state"] == "running")
    scheduler = psutil.Process(pid_of(own, "airflow-scheduler"))
    family = [scheduler, *scheduler.children(recursive=True)]
    assert any(os.getpgid(each.pid) != scheduler.pid for each in family), "the task's own group"
    reports: queue.Queue[str] = queue.Queue()
    with Supervisor([own.stack.service("airflow-scheduler")], reports.put, poll_seconds=0.1):
        scheduler.kill()
        assert reports.get(timeout=10).startswith("airflow-scheduler died")
        assert reports.get(timeout=60).startswith("airflow-scheduler is back")
    assert [each.pid for each in family if running(each.pid) == each] == []
    # Airflow takes the silent task for dead and goes on with the run.
    until(lambda: own.call("GET", tasks)[1]["state"] != "running", 60)


def test_stop_ends_all_that_was_started_and_nothing_else(own: RunningAirflow) -> None:
    """A scheduler killed before the stop has left processes: they go too, strangers stay."""
    other = psutil.Popen(["sleep", "60"], env={**os.environ, TAG: "airflow-scheduler@/else"})
    scheduler = psutil.Process(pid_of(own, "airflow-scheduler"))
    scheduler.kill()
    scheduler.wait(5)
    lines: list[str] = []
    own.stack.down(report=lines.append)
    assert "was not running, but" in next(line for line in lines if "scheduler" in line)
    assert processes(own) == []
    assert other.is_running()
    other.kill()
    other.wait(5)


def test_taken_port_is_told_with_its_remedy(tmp_path: Path) -> None:
    """A stranger on Airflow's port is not taken for Airflow."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = own_settings(tmp_path, airflow_port=taken.getsockname()[1])
        with pytest.raises(ServiceError, match=r"port \d+ is taken .* \.env\.example"):
            ApiServer(settings).start()


def test_database_of_another_version_is_refused(own: RunningAirflow) -> None:
    """Tables that this Airflow does not know are left as they are; the error says what to do."""
    postgres = Postgres(own.settings)
    postgres.start()
    with postgres.connect("airflow") as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    connection.close()
    with pytest.raises(ServiceError, match="cannot bring its database up to date"):
        Scheduler(own.settings).start()


def test_lost_password_of_the_database_is_told(own: RunningAirflow) -> None:
    """Without the owner's password nothing is started, and PostgreSQL's words are shown."""
    Postgres(own.settings).start()
    kept = own.settings.pgpass.read_text()
    try:
        own.settings.pgpass.write_text(kept.replace(":market:", ":market:wrong"))
        with pytest.raises(ServiceError, match="password authentication failed"):
            Scheduler(own.settings).start()
    finally:
        own.settings.pgpass.write_text(kept)
    assert own.stack.service("airflow-scheduler").process.find() is None
