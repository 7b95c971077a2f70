"""The batch through real Airflow over REST, as the UI does it: judged by what the server served."""

import time
from collections.abc import Iterator
from datetime import date

import pytest

from tests.integration.batch import DAG, Batch, batch_with, until
from tests.integration.conftest import RunningAirflow

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

QUICK = {"mode": "full", "requests_per_second": 100, "burst_limit": 20, "batch_size": 8}


@pytest.fixture(scope="module")
def batch(airflow: RunningAirflow) -> Iterator[Batch]:
    """24 ordinary shares with a year of sessions."""
    with batch_with(airflow, symbols=24) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(batch: Batch) -> None:
    """Each test begins without bars."""
    batch.forget()


def test_run_stores_all_and_failed_stocks_can_be_retried(batch: Batch) -> None:
    """One stock is refused for good: the run is green, the report names it; a retry gets it."""
    batch.control("POST", "faults", {"kind": "not_found", "symbols": ["8306"]})
    run = batch.trigger(QUICK)
    assert batch.wait_end(run) == "success", batch.tasks(run)
    execution = batch.execution(run)
    batch.judge(execution, failed=("8306",))
    ((report, text),) = batch.rows(
        "SELECT report, report_markdown FROM batch_executions WHERE uuid = %s::uuid", execution
    )
    assert "8306" in text
    assert report is not None
    batch.control("DELETE", "faults")
    batch.order(execution, "retry-failed")
    until(lambda: len(batch.rows("SELECT 1 FROM batch_executions WHERE mode = 'failed'")) == 1, 60)
    ((again, total),) = batch.rows(
        "SELECT run_id, total_stocks FROM batch_executions WHERE mode = 'failed'"
    )
    assert total == 1
    assert batch.wait_end(again) == "success"
    assert batch.stored()["8306.T"] == batch.truth("8306.T")


def test_bad_params_are_refused_with_the_reason(batch: Batch) -> None:
    """Airflow answers 400 and says which field is wrong; nothing is started."""
    for conf, word in (({"mode": "everything"}, "everything"), ({"batch_size": 0}, "batch_size")):
        status, answer = batch.airflow.call(
            "POST", f"{DAG}/dagRuns", {"logical_date": None, "conf": conf}
        )
        assert status == 400
        assert word in str(answer)


def test_backfill_fetches_just_those_sessions(batch: Batch) -> None:
    """Three dates, one of them a holiday (Culture Day): two sessions are stored, all runs green."""
    body = {
        "dag_id": "all_stocks_fetch",
        "from_date": "2026-11-02T00:00:00+09:00",
        "to_date": "2026-11-04T23:00:00+09:00",
        "max_active_runs": 3,
        "dag_run_conf": {"requests_per_second": 100, "batch_size": 24},
    }
    status, answer = batch.airflow.call("POST", "/api/v2/backfills", body)
    assert status == 200, answer

    def runs() -> list[str]:
        _, found = batch.airflow.call("GET", f"{DAG}/dagRuns?run_type=backfill")
        return [run["state"] for run in found["dag_runs"]]

    until(lambda: runs() == ["success"] * 3, 180, lambda: str(runs()))
    # Airflow takes a backfill for the last scheduled run, and then starts that of today by itself.
    sessions = batch.rows(
        "SELECT mode, session_date FROM batch_executions WHERE run_id LIKE 'backfill__%%'"
        " ORDER BY session_date"
    )
    assert sessions == [("session", date(2026, 11, 2)), ("session", date(2026, 11, 4))]
    asked = batch.rows(
        "SELECT DISTINCT d.fetch_from, d.fetch_to, d.records_fetched FROM batch_execution_details d"
        " JOIN batch_executions e ON e.id = d.batch_execution_id"
        " WHERE e.run_id LIKE 'backfill__%%' ORDER BY 1"
    )
    assert asked == [(day, day, 1) for _, day in sessions]
    days = [day.isoformat() for _, day in sessions]
    stored = {
        symbol: [bar for bar in bars if bar[0] in days] for symbol, bars in batch.stored().items()
    }
    window = f"?start={days[0]}&end={days[1]}"
    codes = batch.ordinary()
    assert stored == {f"{code}.T": batch.truth(f"{code}.T", window) for code in codes}


def test_pause_fetches_nothing_and_holds_no_slot_then_stop_and_resume(batch: Batch) -> None:
    """Paused: no call goes out, no task runs. Stopped and resumed after that, all is there."""
    run = batch.trigger({**QUICK, "requests_per_second": 3, "burst_limit": 1})
    execution = batch.execution(run)
    until(lambda: batch.processed(execution) >= 2, 60)
    batch.order(execution, "pause")
    until(lambda: "running" not in batch.tasks(run).values(), 60, lambda: str(batch.tasks(run)))
    before = batch.upstream_state()["http_calls"]
    time.sleep(3)
    assert batch.upstream_state()["http_calls"] == before
    assert "deferred" in batch.tasks(run).values()

    batch.order(execution, "resume")
    until(lambda: batch.upstream_state()["http_calls"] > before, 60)
    batch.order(execution, "stop")
    assert batch.wait_end(run) == "failed"
    assert batch.processed(execution) < 24

    batch.order(execution, "resume")
    until(lambda: batch.state(run) != "failed", 30)
    assert batch.wait_end(run) == "success", batch.tasks(run)
    batch.judge(execution)
