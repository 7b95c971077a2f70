"""Apache Airflow: four processes around one database, out of the airflow environment.

Configuration and keys are in a file of the state folder (AIRFLOW_HOME), so neither the
environment of the processes nor their command lines hold a secret.
"""

import json
import os
import re
import secrets
import subprocess
import threading
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

import psutil
import psycopg2

from docker.doctor import environment as user_environment
from docker.local.postgres import SCHEDULER, Postgres
from docker.local.process import Launch
from docker.local.service import NotReady, Service, ServiceError, children
from docker.local.settings import HOST, ROOT, StackSettings

CONFIGURATION = ROOT / "docker/airflow/airflow.cfg"
USERS = ("admin", "viewer")
HEARTBEATS = 6
"""Heartbeats within the time after which something silent is taken for dead."""
LONGEST_HEARTBEAT = 5
PREPARING = threading.Lock()
"""The four start at the same time; the first one prepares what they share."""


class AirflowProcess(Service):
    """One of the four. `variables` are added to the environment that tasks inherit."""

    words: tuple[str, ...]
    """What it is called on Airflow's command line."""
    component: str
    """What it is called in the answer of the health request."""
    after = ("postgres",)
    start_seconds = 240
    stop_seconds = 10
    listens = False

    def __init__(self, settings: StackSettings, variables: Mapping[str, str] | None = None) -> None:
        super().__init__(settings)
        self.variables = variables or {}

    @property
    def port(self) -> int:
        """The only port there is: Airflow's page and REST interface."""
        return self.settings.airflow_port

    def prepare(self) -> Launch:
        """Bring configuration and database up to date, which all four need."""
        with PREPARING:
            configure(self.settings)
            migrate(self.settings)
        return Launch(
            [python(self.settings), "-m", "airflow", *self.words],
            {**variables(self.settings), **self.variables},
        )

    def probe(self) -> str:
        """This very process must have sent a heartbeat.

        For a while Airflow still counts a process that was killed, hence the look at the time.
        """
        process = self.process.find()
        if process is None:
            raise NotReady("no process")
        state = health(self.settings)[self.component]
        beat = state[f"latest_{self.component}_heartbeat"]
        if state["status"] != "healthy" or beat is None:
            raise NotReady(f"Airflow calls it {state['status'] or 'not there'}")
        try:
            begun = process.create_time()
        except psutil.Error:
            raise NotReady("no process") from None
        if datetime.fromisoformat(beat).timestamp() < begun:
            raise NotReady("no heartbeat since it was started")
        return f"heartbeat {beat[11:19]} UTC"

    def memory(self) -> int:
        """Bytes of the process and its children, shared pages once: its workers are forks."""
        process = self.process.find()
        return sum(share(each.pid) for each in [process, *children(process)]) if process else 0


class ApiServer(AirflowProcess):
    """Airflow's page, its REST interface, and what tasks report to."""

    name = "airflow-api"
    words = ("api-server",)
    component = "metadatabase"
    listens = True

    def probe(self) -> str:
        """It answers, and reaches its database."""
        state = health(self.settings)[self.component]["status"]
        if state != "healthy":
            raise NotReady(f"its database is {state}")
        return f"Airflow {version(self.settings)}"


class Scheduler(AirflowProcess):
    """Decides what runs, and runs it: LocalExecutor keeps its workers as children."""

    name = "airflow-scheduler"
    words = ("scheduler", "--skip-serve-logs")
    component = "scheduler"


class DagProcessor(AirflowProcess):
    """Reads the DAG files."""

    name = "airflow-processor"
    words = ("dag-processor",)
    component = "dag_processor"


class Triggerer(AirflowProcess):
    """Waits for what deferred tasks wait for."""

    name = "airflow-triggerer"
    words = ("triggerer", "--skip-serve-logs")
    component = "triggerer"


def health(settings: StackSettings) -> dict[str, Any]:
    """Airflow's own view of its components. NotReady if there is no answer."""
    try:
        address = f"{settings.airflow_url}/api/v2/monitor/health"
        with urllib.request.urlopen(address, timeout=3) as answer:
            return dict(json.load(answer))
    except (OSError, ValueError) as error:
        raise NotReady(f"no answer from {settings.airflow_url}: {error}") from None


def share(pid: int) -> int:
    """Proportional memory of a process in bytes; 0 if it is gone or the kernel does not tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def python(settings: StackSettings) -> Path:
    """Interpreter of the airflow environment. ServiceError if it is not installed."""
    found = settings.installed / "venv/airflow/bin/python"
    if not found.exists():
        raise ServiceError(f"no Airflow in {found.parents[1]}: run `make setup`")
    return found


def version(settings: StackSettings) -> str:
    """Version of the installed Airflow, by the name of its folder of metadata."""
    folder = settings.installed / "venv/airflow/lib"
    found = sorted(folder.glob("python3.*/site-packages/apache_airflow_core-*.dist-info"))
    return found[-1].name.split("-")[1].removesuffix(".dist") if found else "?"


def variables(settings: StackSettings) -> dict[str, str]:
    """Environment of Airflow's processes and, by inheritance, of tasks.

    `.env` is in it, since they do not run in the checkout, where settings look for that file.
    """
    return {
        **{name: value for name, value in user_environment().items() if name not in os.environ},
        **settings.environment(),
        "PYTHONPATH": str(ROOT),
        # Processes give themselves titles; without this their environment, and with it the tag by
        # which orphans are found, would be overwritten.
        "SPT_NOENV": "1",
    }


def configure(settings: StackSettings) -> None:
    """Write airflow.cfg, make keys and passwords where they are missing; all for us alone."""
    home = settings.airflow_home
    home.mkdir(parents=True, exist_ok=True)
    passwords = read(settings.airflow_passwords)
    made = {user: passwords.get(user) or secrets.token_urlsafe(16) for user in USERS}
    write(settings.airflow_passwords, json.dumps({**passwords, **made}, indent=1))
    keys = read(home / "keys.json")
    keys = {
        "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt_secret": secrets.token_urlsafe(48),
        "secret_key": secrets.token_urlsafe(48),
        **keys,
    }
    write(home / "keys.json", json.dumps(keys, indent=1))
    text = Template(CONFIGURATION.read_text()).substitute(
        host=HOST,
        port=settings.airflow_port,
        postgres_port=settings.postgres_port,
        home=home,
        dags=settings.airflow_dags,
        passwords=settings.airflow_passwords,
        parallelism=settings.airflow_parallelism,
        dead_after=settings.airflow_dead_after,
        heartbeat=max(1, min(LONGEST_HEARTBEAT, settings.airflow_dead_after // HEARTBEATS)),
        dag_refresh=settings.airflow_dag_refresh,
        **keys,
    )
    write(home / "airflow.cfg", text)


def read(file: Path) -> dict[str, str]:
    """A JSON object out of a file; empty where there is none. ServiceError if it is broken."""
    try:
        return dict(json.loads(file.read_text()))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ServiceError(f"{file} is broken ({error}): remove it, a new one is made") from None


def write(file: Path, text: str) -> None:
    """Replace a file in one step by one that only we can read."""
    draft = file.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)


def migrate(settings: StackSettings) -> None:
    """Make Airflow's database and its tables, unless they are as this version wants them.

    That takes seconds even if nothing is to be done, so the version and what the database then
    said of itself are noted. ServiceError with Airflow's own words if it fails.
    """
    postgres = Postgres(settings)
    postgres.make_database(SCHEDULER)
    stamp = settings.airflow_home / "migrated.json"
    if read(stamp) == {"airflow": version(settings), "revision": revision(postgres) or ""}:
        return
    done = subprocess.run(
        [python(settings), "-m", "airflow", "db", "migrate"],
        env={**os.environ, **variables(settings)},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(f"  | {line}" for line in done.stdout.splitlines()[-12:])
        raise ServiceError(
            f"Airflow {version(settings)} cannot bring its database up to date. If another version "
            f"has made it, install that one, or drop the database {SCHEDULER!r} (it holds runs and "
            f"users' settings, no bars): the next start makes a new one\n{tail}"
        )
    noted = {"airflow": version(settings), "revision": revision(postgres) or ""}
    write(stamp, json.dumps(noted))


def revision(postgres: Postgres) -> str | None:
    """What Airflow's database says of its tables; None while it has none."""
    try:
        connection = postgres.connect(SCHEDULER)
    except psycopg2.OperationalError as error:
        raise ServiceError(f"Airflow's database does not answer: {str(error).strip()}") from None
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version')")
            (table,) = cursor.fetchone() or (None,)
            if table is None:
                return None
            cursor.execute("SELECT version_num FROM alembic_version")
            row = cursor.fetchone()
            return str(row[0]) if row else None
    finally:
        connection.close()
