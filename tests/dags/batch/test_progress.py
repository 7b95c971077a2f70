"""Progress: counts, speed, time of completion."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.stocks.bars import Failure
from dags.batch.database import connect
from dags.batch.progress import ProgressManager, percentage, rate
from tests.dags.batch.parts import CODES, Bench
from tests.dags.conftest import BatchDatabase

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def test_there_is_no_eta_before_anything_is_processed() -> None:
    """Nor while nothing moves."""
    assert ProgressManager.calculate_eta(100, 0, 60.0, NOW) is None
    assert ProgressManager.calculate_eta(100, 10, 0.0, NOW) is None


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.1, 1000))
def test_the_eta_is_what_is_left_at_the_present_speed(
    total: int, processed: int, speed: float
) -> None:
    """Never in the past."""
    eta = ProgressManager.calculate_eta(total, processed, speed, NOW)
    assert eta is not None and eta >= NOW
    if processed < total:
        seconds = (total - processed) / speed * 60
        assert (eta - NOW).total_seconds() == pytest.approx(seconds, abs=1e-5)


@pytest.mark.parametrize(
    ("total", "processed", "share"), [(3, 1, 33.33), (3, 2, 66.67), (4, 4, 100), (0, 0, 100)]
)
def test_percentages_have_two_decimals(total: int, processed: int, share: float) -> None:
    """Nothing to do is done."""
    assert percentage(total, processed) == share


def test_throughput_is_per_minute() -> None:
    """And nothing where no time has passed."""
    assert rate(30, 750, NOW, NOW + timedelta(seconds=30)) == (60, 1500)
    assert rate(30, 750, NOW, NOW) == (0, 0)


@pytest.mark.integration
def test_a_snapshot_has_the_promised_form(database: BatchDatabase) -> None:
    """While it runs, in the middle of a stock."""
    seen = []
    manager = ProgressManager(connect(database.settings))
    script = {
        "6758.T": [Failure.NOT_FOUND],
        "9984.T": [lambda: seen.append(manager.snapshot(batch))],
    }
    bench = Bench(database, script)
    batch = bench.engine.start_batch(CODES)
    empty = manager.snapshot(batch)
    assert empty["estimated_completion"] is None
    assert empty["progress"]["percentage"] == 0
    bench.engine.run_chunk(batch)
    [middle] = json.loads(json.dumps(seen))
    assert middle["batch_id"] == batch
    assert middle["status"] == "running"
    assert middle["progress"] == {
        "total": 4,
        "processed": 2,
        "successful": 1,
        "failed": 1,
        "percentage": 50.0,
    }
    assert middle["current_processing"] == ["9984"]
    assert datetime.fromisoformat(middle["estimated_completion"]).utcoffset() == timedelta(0)
    assert middle["throughput"]["stocks_per_minute"] > 0
    assert middle["throughput"]["records_per_minute"] > 0
    assert middle["errors"] == {"PERMANENT": 1}
    assert middle["http_calls"] == 2
    assert middle["rate_limit"]["rate"] == middle["rate_limit"]["base_rate"] == 500
    bench.engine.finish(batch)
    done = manager.snapshot(batch)
    assert (done["status"], done["progress"]["percentage"]) == ("completed", 100.0)
    assert done["estimated_completion"] is None
    assert done["current_processing"] == []


@pytest.mark.integration
def test_counters_are_recounted_from_the_rows(database: BatchDatabase) -> None:
    """Whatever somebody wrote into them."""
    bench = Bench(database)
    batch = bench.engine.start_batch(CODES)
    bench.engine.run_chunk(batch)
    with database.connection.cursor() as cursor:
        cursor.execute("UPDATE batch_executions SET processed_stocks = 99, failed_stocks = 7")
    assert ProgressManager(connect(database.settings)).update_progress(batch).processed == 4
    assert bench.engine.find(batch).processed == 4
