"""The DAG files as Airflow reads them: they load, open nothing, and hold what they promise."""

import os
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, RetryAction
from jsonschema import Draft202012Validator

from dags.batch import errors
from docker.local.settings import ROOT, load

pytestmark = pytest.mark.airflow

FOLDER = ROOT / "dags"
ORDER = [
    "session_gate",
    "check_systems",
    "refresh_listing",
    "plan",
    "fetch",
    "check_integrity",
    "refill",
    "report",
    "notify",
]
PARSE_SECONDS = 2
NO_INPUT_OUTPUT = """
import socket, sys
import airflow.dag_processing.dagbag
import psycopg2

def refuse(*values, **names):
    raise AssertionError("input or output while the file is read")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = psycopg2.connect = refuse
sys.path.insert(0, sys.argv[1])
import dags.all_stocks_fetch
heavy = {"yfinance", "pandas", "exchange_calendars", "apprise", "python_calamine"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


@pytest.fixture(scope="module")
def bag() -> DagBag:
    """The folder as Airflow reads it, with what .airflowignore says."""
    return DagBag(str(FOLDER))


@pytest.fixture
def dag(bag: DagBag) -> DAG:
    """The DAG."""
    return bag.dags["all_stocks_fetch"]


def test_every_file_loads_quickly(bag: DagBag) -> None:
    """No import errors, the DAGs we mean and no others, read in less than two seconds."""
    assert bag.import_errors == {}
    assert set(bag.dags) == {"all_stocks_fetch"}
    assert {stat.file for stat in bag.dagbag_stats} == {"all_stocks_fetch.py"}
    for stat in bag.dagbag_stats:
        assert stat.duration < timedelta(seconds=PARSE_SECONDS), stat


def test_reading_the_file_opens_nothing(tmp_path: Path) -> None:
    """No socket, no database, no heavy package: Airflow reads the file again and again."""
    done = subprocess.run(
        [sys.executable, "-c", NO_INPUT_OUTPUT, str(ROOT)],
        cwd=tmp_path,
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_order(dag: DAG) -> None:
    """One line from the gate to the message, and the watcher behind all of them."""
    assert set(dag.task_ids) == {*ORDER, "watcher"}
    for before, after in pairwise(ORDER):
        assert dag.get_task(after).upstream_task_ids == {before}
    assert dag.get_task("watcher").upstream_task_ids == set(ORDER)


def test_trigger_rules(dag: DAG) -> None:
    """Report and message come in any case; the watcher sees to it that the run is red then."""
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks}
    assert rules["report"] == rules["notify"] == "all_done"
    assert rules["watcher"] == "one_failed"
    assert {rules[name] for name in ORDER[:-2]} == {"all_success"}


def test_retries_and_timeouts(dag: DAG) -> None:
    """Every task has both, and our policy; only the watcher is not tried again."""
    retries = {task.task_id: task.retries for task in dag.tasks}
    assert retries.pop("watcher") == 0
    assert retries.pop("fetch") == retries.pop("refill") == 8
    assert set(retries.values()) == {3}
    for task in dag.tasks:
        assert task.retry_policy is not None, task.task_id
        assert task.execution_timeout is not None, task.task_id
        assert task.execution_timeout < dag.dagrun_timeout


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (errors.BatchStopped("x"), RetryAction.FAIL),
        (errors.BatchFailed("x"), RetryAction.FAIL),
        (errors.ConfigError(["x"]), RetryAction.FAIL),
        (errors.StorageFull("x"), RetryAction.FAIL),
        (errors.DatabaseRefused("x"), RetryAction.FAIL),
        (errors.UnknownBatch("x"), RetryAction.FAIL),
        (errors.DatabaseUnavailable("x"), RetryAction.RETRY),
        (AttributeError("x"), RetryAction.FAIL),
        (ConnectionError("x"), RetryAction.DEFAULT),
    ],
)
def test_retry_policy(dag: DAG, error: Exception, action: RetryAction) -> None:
    """What cannot pass is not tried again; a lost database is waited for."""
    policy = dag.get_task("plan").retry_policy
    assert policy.evaluate(error, try_number=1, max_tries=3).action == action


def test_chunks_are_mapped(dag: DAG) -> None:
    """As many at once as workers are set, each named after its stocks."""
    fetch = dag.get_task("fetch")
    assert fetch.is_mapped
    assert fetch.max_active_tis_per_dagrun == 10
    assert fetch.map_index_template == "{{ task.stocks }}"


def test_schedule(dag: DAG) -> None:
    """Weekdays after the close, in Tokyo's time; nothing is caught up, one run at a time."""
    assert dag.timetable.expression == "0 18 * * 1-5"
    assert "Asia/Tokyo" in str(dag.timetable.timezone)
    assert dag.start_date is None
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert timedelta(hours=1) < dag.dagrun_timeout < timedelta(days=1)
    assert dag.has_on_failure_callback


def test_documentation(dag: DAG) -> None:
    """The page in the UI names every task; there is an owner and there are tags."""
    assert dag.doc_md
    assert all(f"`{name}`" in dag.doc_md for name in dag.task_ids)
    assert dag.tags
    assert {task.owner for task in dag.tasks} == {"market-data"}


def test_params(dag: DAG) -> None:
    """Defaults are valid, and every field has a schema, a title and help."""
    assert dag.params.validate()["mode"] == "differential"
    for name in dag.params:
        schema = dag.params.get_param(name).schema
        Draft202012Validator.check_schema(schema)
        assert schema["title"] and schema["description_md"], name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "everything"),
        ("symbols", ["toyota"]),
        ("symbols", "7203"),
        ("segments", ["first"]),
        ("batch_size", 0),
        ("batch_size", 1001),
        ("requests_per_second", 0),
        ("max_workers", 2.5),
        ("period", "3y"),
        ("include_etf", "yes"),
    ],
)
def test_bad_values_are_refused(dag: DAG, name: str, value: object) -> None:
    """By the schema, so Airflow answers 400 with the name and the reason."""
    schema = dag.params.get_param(name).schema
    assert not Draft202012Validator(schema).is_valid(value)


def test_ruff_knows_nothing_against_it() -> None:
    """ruff's rules for Airflow 3, with those that are still a preview."""
    done = subprocess.run(
        [
            load().installed / "venv/dev/bin/ruff",
            "check",
            "--select=AIR",
            "--preview",
            "--no-cache",
            FOLDER,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
