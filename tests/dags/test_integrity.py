"""The DAG files as Airflow reads them: they load, open nothing, and say what they promise."""

import subprocess
import sys
from datetime import timedelta

import pytest
from airflow.dag_processing.dagbag import DagBag

from docker.local.settings import ROOT

pytestmark = pytest.mark.airflow

TASKS = {
    "session_gate",
    "check_systems",
    "refresh_listing",
    "plan",
    "fetch",
    "check_integrity",
    "refill",
    "report",
    "notify",
    "watcher",
}
NO_INPUT_OUTPUT = """
import socket, psycopg2
def refuse(*args, **kwargs):
    raise AssertionError("input or output while the file is read")
socket.socket.connect = refuse
psycopg2.connect = refuse
import dags.all_stocks_fetch
"""


@pytest.fixture(scope="module")
def bag() -> DagBag:
    """All DAGs of the checkout."""
    return DagBag(str(ROOT / "dags"))


def test_every_file_loads_quickly(bag: DagBag) -> None:
    """No import errors, just our DAG, read in less than two seconds."""
    assert bag.import_errors == {}
    assert set(bag.dags) == {"all_stocks_fetch"}
    assert all(stat.duration < timedelta(seconds=2) for stat in bag.dagbag_stats)


def test_tasks_and_their_order(bag: DagBag) -> None:
    """A table of contents: each task once, the watcher after all others."""
    dag = bag.dags["all_stocks_fetch"]
    assert set(dag.task_ids) == TASKS
    assert dag.get_task("watcher").upstream_task_ids == TASKS - {"watcher"}
    assert dag.get_task("fetch").upstream_task_ids == {"plan"}


def test_runs_one_at_a_time_and_never_catches_up(bag: DagBag) -> None:
    """A stack that was off for a month does not fetch a month of full lists."""
    dag = bag.dags["all_stocks_fetch"]
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.dagrun_timeout is not None
    assert dag.doc_md and dag.tags


def test_every_task_has_an_end_and_a_retry_rule(bag: DagBag) -> None:
    """Time-outs and retries everywhere; the watcher fails at once."""
    for task in bag.dags["all_stocks_fetch"].tasks:
        assert task.owner == "market-data"
        assert task.execution_timeout is not None
        assert task.retries == 0 if task.task_id == "watcher" else task.retries >= 3


def test_parameters_have_help_and_valid_defaults(bag: DagBag) -> None:
    """Each field of the trigger form has a title, a text, and a default that it accepts."""
    params = bag.dags["all_stocks_fetch"].params
    params.validate()
    for name in params:
        schema = params.get_param(name).schema
        assert schema["title"] and schema["description_md"]


def test_reading_the_file_opens_nothing() -> None:
    """Airflow reads DAG files again and again: no socket, no database at that moment."""
    done = subprocess.run(
        [sys.executable, "-c", NO_INPUT_OUTPUT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
