"""The command line on a real PostgreSQL, as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from dags.batch.controller import BatchController
from dags.batch.engine import BatchEngine
from dags.batch.executions import Execution
from dags.batch.models import Mode
from docker.local.settings import ROOT
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration

COMMANDS = (
    "start",
    "status",
    "pause",
    "resume",
    "stop",
    "retry-failed",
    "report",
    "work",
    "migrate",
    "tell_bus",
)


def run(*words: str, **env: str) -> tuple[int, str, str]:
    """Exit code, output and errors of one command. Nothing listens where Airflow should be."""
    done = subprocess.run(
        [sys.executable, "-m", "dags.batch", *words],
        env={**os.environ, "AIRFLOW_URL": "http://127.0.0.1:9", "AIRFLOW_PASSWORD": "x", **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def batch(database: BatchDatabase) -> Execution:
    """An execution of two stocks on which nobody works."""
    engine = BatchEngine()
    return engine.find(engine.start_batch(["7203", "6758"], mode=Mode.SYMBOLS))


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    """And none that is not listed here."""
    from dags.batch.cli import app

    names = {each.name or each.callback.__name__ for each in app.registered_commands}
    assert names == set(COMMANDS)
    for each in app.registered_commands:
        assert each.callback.__doc__


def test_orders_name_the_batch_in_each_way(batch: Execution, database: BatchDatabase) -> None:
    """Id, uuid, label, last; the log tells who gave them."""
    assert run("pause", batch.uuid, "--reason", "lunch")[0] == 0
    assert BatchController(database.connection).find(batch.id).reason == "lunch"
    assert run("resume", str(batch.id))[1] == f"{batch.label} goes on.\n"
    code, out, _ = run("stop", batch.label)
    assert (code, out) == (0, f"{batch.label} is stopped. It can be resumed.\n")
    code, out, _ = run("resume", "last")
    assert code == 0
    assert f"python -m dags.batch work {batch.label}" in out
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT worker_id FROM batch_events WHERE action = 'stopped'")
        assert cursor.fetchall() == [(subprocess.getoutput("id -un"),)]


def test_status_as_json_is_what_the_socket_sends(batch: Execution) -> None:
    """The fields that requirements name."""
    code, out, _ = run("status", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["batch_id"] == batch.uuid
    assert set(told) >= {
        "status",
        "progress",
        "current_processing",
        "estimated_completion",
        "throughput",
    }


def test_list_holds_a_line_for_each_batch(batch: Execution) -> None:
    """Not cut, though the output is no terminal."""
    _, out, _ = run("status")
    assert re.search(rf"{batch.id} +{batch.label} +running +symbols .* 0/2 +0 +0", out)


def test_errors_are_one_line_with_the_remedy(batch: Execution) -> None:
    """Unknown batch, order that makes no sense, no report yet, no Airflow, no database."""
    here = {"DATABASE_URL": "postgresql://market@127.0.0.1:9/market"}
    cases = [
        (("pause", "batch_19990101_000000"), {}, 2, "no execution is called"),
        (("retry-failed", "last"), {}, 4, "make up"),
        (("start",), {}, 4, "make up"),
        (("start", "--mode", "symbols"), {}, 2, "needs at least one code"),
        (("report",), {}, 2, "no report yet"),
        (("status",), here, 3, "make up"),
        (("status", "1"), {"BATCH_SCHEMA": "nobody_made_this"}, 3, "dags.batch migrate"),
    ]
    for words, env, code, text in cases:
        found, _, errors = run(*words, **env)
        assert (found, errors.count("\n")) == (code, 1), (words, errors)
        assert errors.startswith("error: ")
        assert text in errors


@pytest.mark.parametrize("env", [{}, {"BATCH_SCHEMA": "nobody_made_this"}])
def test_nothing_started_yet_is_told(database: BatchDatabase, env: dict[str, str]) -> None:
    """How to start is said where there is nothing to show, be it because there are no tables."""
    assert "python -m dags.batch start" in run("status", **env)[1]
    code, _, errors = run("pause", **env)
    assert (code, "there is no batch yet" in errors) == (2, True)


def test_watch_ends_with_the_batch(batch: Execution, database: BatchDatabase) -> None:
    """One line for each change; a batch that was stopped is no success."""
    with subprocess.Popen(
        [sys.executable, "-m", "dags.batch", "status", "--watch"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert f"{batch.label} running 0/2" in watching.stdout.readline()
        BatchController(database.connection).stop(batch.id, "ada")
        assert f"{batch.label} stopped 0/2" in watching.stdout.readline()
        assert watching.wait(30) == 1


def test_ctrl_c_ends_the_watching_and_not_the_batch(
    batch: Execution, database: BatchDatabase
) -> None:
    """It says so, without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "dags.batch", "status", "--watch"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever starts the tests in the background hands an ignored Ctrl-C down to them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as watching:
        assert watching.stdout is not None
        watching.stdout.readline()
        time.sleep(0.2)
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert "The batch goes on." in errors
    assert "Traceback" not in errors
    assert BatchController(database.connection).find(batch.id).status == "running"


def test_migrate_may_be_run_again(database: BatchDatabase) -> None:
    """The second time there is nothing to do."""
    assert run("migrate")[1] == "all tables are there\n"
