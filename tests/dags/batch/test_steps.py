"""The steps of a run on a real database, without Airflow."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dags.batch import steps
from dags.batch.controller import BatchController
from dags.batch.models import BatchStatus
from dags.batch.params import fields
from dags.batch.request import BadRequest
from dags.batch.steps import Run, Verdict, make_plan, session_gate, write_report
from tests.dags.batch.market import FRIDAY, add_execution, add_stock, days, plain
from tests.dags.conftest import BatchDatabase

pytestmark = [pytest.mark.airflow, pytest.mark.integration]

DEFAULTS = {name: field["default"] for name, field in fields().items()}
BY_HAND = Run("manual__1", "manual", None)


def scheduled(day: int) -> Run:
    """The run of a day in November 2026, 18:00 in Tokyo."""
    return Run(f"scheduled__{day}", "scheduled", datetime(2026, 11, day, 9, 0, tzinfo=UTC))


def params(**values: Any) -> dict[str, Any]:
    """The form as a person filled it in."""
    return {**DEFAULTS, **values}


def test_the_gate_tells_all_faults_of_the_params_at_once() -> None:
    """Of the selection and of the settings, and names that nobody knows."""
    with pytest.raises(BadRequest) as caught:
        session_gate(BY_HAND, params(mode="failed", batch_size=0, batchsize=5))
    assert len(caught.value.faults) == 3
    text = str(caught.value)
    assert "of: mode failed" in text
    assert "batch_size: " in text
    assert "batchsize: no such setting" in text


def test_the_gate_knows_the_calendar_and_its_corrections(database: BatchDatabase) -> None:
    """A holiday and a weekend stop a scheduled run, a run by hand goes on; the table wins."""
    assert session_gate(scheduled(20), params()) == Verdict(True, "session 2026-11-20")
    assert session_gate(scheduled(23), params()) == Verdict(False, "not a session: 2026-11-23")
    assert session_gate(BY_HAND, params()).go_on
    with database.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO session_overrides VALUES ('2026-11-20', false, 'outage'),"
            " ('2026-11-23', true, 'special session')"
        )
    assert not session_gate(scheduled(20), params()).go_on
    assert session_gate(scheduled(23), params()).go_on


def test_a_plan_is_made_once(database: BatchDatabase) -> None:
    """Tried again it gives the same; cleared after the end it is a new execution."""
    for code in ("1301", "1302", "1303"):
        add_stock(database.connection, code)
    first = make_plan(scheduled(20), params(batch_size=2), 1024)
    assert [chunk["stocks"][5:] for chunk in first] == ["1301–1302", "1303–1303"]
    assert make_plan(scheduled(20), params(batch_size=2), 1024) == first
    with database.connection.cursor() as cursor:
        cursor.execute("UPDATE batch_executions SET status = 'completed'")
    again = make_plan(scheduled(20), params(batch_size=2), 1024)
    assert again[0]["batch_id"] != first[0]["batch_id"]
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT run_id, session_date FROM batch_executions ORDER BY id")
        assert cursor.fetchall() == [("scheduled__20", FRIDAY), ("scheduled__20#2", FRIDAY)]


def test_failed_stocks_are_planned_again(database: BatchDatabase) -> None:
    """Only they, of the execution named by its label."""
    for code in ("1301", "1302"):
        add_stock(database.connection, code)
    add_execution(database.connection, ["1301", "1302"], label="batch_20261120_090000")
    with database.connection.cursor() as cursor:
        cursor.execute(
            "UPDATE batch_execution_details SET status = 'failed', fetch_from = '2026-11-04'"
            " WHERE stock_code = '1302'"
        )
    (chunk,) = make_plan(BY_HAND, params(mode="failed", of="batch_20261120_090000"), 1024)
    assert chunk["stocks"].endswith("1302–1302")
    with database.connection.cursor() as cursor:
        cursor.execute(
            "SELECT fetch_from::text FROM batch_execution_details ORDER BY id DESC LIMIT 1"
        )
        assert cursor.fetchone() == ("2026-11-04",)


def test_what_its_tasks_left_unfinished_has_failed(database: BatchDatabase) -> None:
    """The report says so, and the execution can be resumed."""
    add_stock(database.connection, "1301", map(plain, days(3)))
    add_execution(database.connection, ["1301"], run_id="manual__1")
    report = write_report("manual__1", ["fetch (2)"])
    assert report is not None
    assert report["batch"]["status"] == "failed"
    assert "fetch (2)" in report["batch"]["reason"]
    controller = BatchController(database.connection)
    assert controller.resume("batch_1", by="ada").status is BatchStatus.RUNNING


def test_a_run_without_execution_has_no_report(database: BatchDatabase) -> None:
    """It ended before its plan."""
    assert write_report("manual__9", ["plan"]) is None


def test_the_refill_is_not_the_run(database: BatchDatabase) -> None:
    """A run's execution is its newest one that is not a refill."""
    add_stock(database.connection, "1301")
    add_execution(database.connection, ["1301"], run_id="r")
    add_execution(database.connection, ["1301"], label="batch_2", run_id="r#2")
    add_execution(database.connection, ["1301"], label="batch_3", run_id="r#2:refill")
    assert steps.execution_of(database.connection, "r").label == "batch_2"
