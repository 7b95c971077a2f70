"""The engine on a real PostgreSQL, with a source without HTTP."""

import threading
import time
from datetime import date

import pytest

from connectors.stocks.bars import Failure
from dags.batch.config import BatchConfig
from dags.batch.controller import BatchController
from dags.batch.database import Database, connect
from dags.batch.engine import BatchEngine, ChunkState
from dags.batch.errors import BatchFailed, BatchInputError, ConfigError, UnknownBatch
from dags.batch.models import BatchStatus, Mode
from tests.dags.batch.parts import CODES, QUICK, Bench, assert_consistent, day, rows, stored
from tests.dags.batch.source import bars_of
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration


def test_a_batch_from_start_to_finish(database: BatchDatabase) -> None:
    """All stocks are stored, the counters equal the rows, the execution is completed."""
    bench = Bench(database)
    batch = bench.engine.start_batch(CODES)
    result = bench.engine.run_chunk(batch, 1)
    assert result.state is ChunkState.DONE
    assert result.counts.completed == len(CODES)
    assert bench.engine.finish(batch).status is BatchStatus.COMPLETED
    assert_consistent(database, CODES)
    actions = bench.rows("SELECT action, count(*) FROM batch_events GROUP BY 1 ORDER BY 1")
    assert actions == [("completed", 1), ("data_fetch", 4), ("data_save", 4), ("started", 1)]


def test_stocks_are_cut_into_chunks(database: BatchDatabase) -> None:
    """A chunk has batch_size stocks, and working on one leaves the others alone."""
    bench = Bench(database, batch_size=3)
    batch = bench.engine.start_batch(CODES)
    assert bench.engine.chunks(batch) == [1, 2]
    assert bench.engine.run_chunk(batch, 2).counts.total == 1
    assert bench.engine.chunks(batch) == [1]
    assert bench.engine.finish(batch).status is BatchStatus.RUNNING


def test_the_same_run_gives_the_same_execution(database: BatchDatabase) -> None:
    """A task that is tried again starts nothing new."""
    bench = Bench(database)
    batch = bench.engine.start_batch(CODES, run_id="manual__1")
    assert bench.engine.start_batch(["1301"], run_id="manual__1") == batch
    assert len(bench.stocks()) == len(CODES)


def test_two_executions_in_a_second_have_their_own_labels(database: BatchDatabase) -> None:
    """Labels are to the second; a collision gets a suffix."""
    bench = Bench(database)
    labels = {bench.engine.find(bench.engine.start_batch(CODES)).label for _ in range(4)}
    assert len(labels) == 4


def test_an_execution_has_three_names(database: BatchDatabase) -> None:
    """Row id, uuid and label find the same execution; anything else is refused with a remedy."""
    engine = Bench(database).engine
    execution = engine.find(engine.start_batch(CODES))
    assert engine.find(execution.label) == engine.find(execution.id) == execution
    assert execution.label.startswith("batch_2")
    for name in ("999", "batch_19990101_000000", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(UnknownBatch, match=r"dags\.batch status"):
            engine.find(name)


def test_codes_that_come_twice_are_taken_once(database: BatchDatabase) -> None:
    """The order stays."""
    bench = Bench(database)
    bench.engine.start_batch(["7203", "6758", "7203"])
    assert bench.stocks("stock_code, chunk") == [("7203", 1), ("6758", 1)]


@pytest.mark.parametrize(
    ("codes", "words"), [([], "list of stocks is empty"), (["7203", "72 03", ""], "'72 03', ''")]
)
def test_a_list_that_makes_no_sense_is_refused(
    database: BatchDatabase, codes: list[str], words: str
) -> None:
    """Nothing is started."""
    bench = Bench(database)
    with pytest.raises(BatchInputError, match=words):
        bench.engine.start_batch(codes)
    assert bench.rows("SELECT 1 FROM batch_executions") == []


def test_settings_are_stored_with_the_execution(database: BatchDatabase) -> None:
    """What was effective can be read afterwards; what a host decides is not in it."""
    bench = Bench(database, max_retries=7)
    stored_config = bench.engine.find(bench.engine.start_batch(CODES)).config
    assert BatchConfig.of(stored_config).max_retries == 7
    assert "source" not in stored_config


def test_the_symbol_comes_from_the_master(database: BatchDatabase) -> None:
    """Where the master knows the code; else it is the code with .T."""
    bench = Bench(database)
    bench.rows(
        "INSERT INTO stocks (code, symbol, name, segment, first_seen, last_seen) "
        "VALUES ('7203', '7203.X', 'Toyota', 'prime', now(), now()) RETURNING code"
    )
    bench.engine.run_chunk(bench.engine.start_batch(["7203", "6758"]))
    assert bench.source
    assert [symbol for symbol, _, _ in bench.source.asked] == ["7203.X", "6758.T"]


def test_a_temporary_failure_is_retried(database: BatchDatabase) -> None:
    """Others go on meanwhile; the retries are counted and logged."""
    script = {"7203.T": [Failure.TIMEOUT, Failure.SERVER_ERROR, Failure.MALFORMED]}
    bench = Bench(database, script, retry_delay=0.2)
    bench.engine.run_chunk(bench.engine.start_batch(CODES))
    assert bench.stocks("status, retry_count, http_calls")[0] == ("completed", 3, 4)
    assert bench.source
    assert [symbol for symbol, _, _ in bench.source.asked][:2] == ["7203.T", "6758.T"]
    assert bench.rows("SELECT count(*) FROM batch_events WHERE status = 'retry'") == [(3,)]
    assert_consistent(database, CODES)


def test_a_stock_fails_after_its_retries(database: BatchDatabase) -> None:
    """The batch goes on and is completed."""
    bench = Bench(database, {"7203.T": [Failure.TIMEOUT] * 9}, max_retries=2)
    batch = bench.engine.start_batch(CODES)
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert bench.stocks("status, error_class, error_code, retry_count, http_calls")[0] == (
        "failed",
        "TEMPORARY",
        "timeout",
        2,
        3,
    )
    finished = bench.engine.finish(batch)
    assert (finished.status, finished.successful, finished.failed) == ("completed", 3, 1)


def test_an_unknown_symbol_is_recorded_at_once(database: BatchDatabase) -> None:
    """One call, permanent."""
    bench = Bench(database, {"7203.T": [Failure.NOT_FOUND]})
    bench.engine.run_chunk(bench.engine.start_batch(["7203"]))
    assert bench.stocks("status, error_class, error_code, http_calls") == [
        ("failed", "PERMANENT", "not_found", 1)
    ]


def test_no_data_is_not_an_error(database: BatchDatabase) -> None:
    """At once where the source says so; after one retry where the answer is just empty."""
    script = {"7203.T": [Failure.NO_DATA], "6758.T": [Failure.EMPTY, Failure.EMPTY]}
    bench = Bench(database, script)
    bench.engine.run_chunk(bench.engine.start_batch(["7203", "6758"]))
    assert bench.stocks("status, outcome, http_calls") == [
        ("completed", "no_data", 1),
        ("completed", "no_data", 2),
    ]


def test_bars_that_the_table_cannot_hold_fail_the_stock(database: BatchDatabase) -> None:
    """Bad data is permanent, and nothing of it is stored."""
    bars = bars_of("7203.T")
    bars[3] = bars[3]._replace(volume=2**70)
    bench = Bench(database, {"7203.T": [bars]})
    bench.engine.run_chunk(bench.engine.start_batch(CODES))
    assert bench.stocks("status, error_class, error_code")[0] == (
        "failed",
        "PERMANENT",
        "bad_data",
    )
    assert stored(database, "7203.T") == []


def test_an_unexpected_error_fails_the_execution_resumably(database: BatchDatabase) -> None:
    """The reason is kept, the stock in work is given back, a resume completes it all."""
    bench = Bench(database, {"6758.T": [ZeroDivisionError("by zero")]})
    batch = bench.engine.start_batch(CODES)
    with pytest.raises(BatchFailed, match="unexpected ZeroDivisionError: by zero"):
        bench.engine.run_chunk(batch)
    execution = bench.engine.find(batch)
    assert execution.status is BatchStatus.FAILED
    assert execution.reason and "ZeroDivisionError" in execution.reason
    assert [status for (status,) in bench.stocks("status")] == ["completed"] + ["pending"] * 3
    assert bench.engine.run_chunk(batch).state is ChunkState.FAILED
    bench.engine.resume_batch(batch)
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert_consistent(database, CODES)


def test_our_own_side_stops_the_batch(database: BatchDatabase) -> None:
    """A failure that no stock is to blame for."""
    bench = Bench(database, {"7203.T": [Failure.LOCAL]})
    batch = bench.engine.start_batch(CODES)
    with pytest.raises(BatchFailed, match="7203: local"):
        bench.engine.run_chunk(batch)
    assert bench.engine.find(batch).status is BatchStatus.FAILED


def test_what_ends_the_process_gives_the_stock_back(database: BatchDatabase) -> None:
    """SystemExit passes through; the execution still runs."""
    bench = Bench(database, {"7203.T": [SystemExit(1)]})
    batch = bench.engine.start_batch(CODES)
    with pytest.raises(SystemExit):
        bench.engine.run_chunk(batch)
    assert bench.engine.find(batch).status is BatchStatus.RUNNING
    assert {status for (status,) in bench.stocks("status")} == {"pending"}


def test_a_throttled_call_uses_no_retry(database: BatchDatabase) -> None:
    """After a 429 everybody waits, the stock is pending again, and the rate is halved."""
    bench = Bench(database, {"7203.T": [Failure.RATE_LIMITED]}, max_retries=0, throttle_wait=0.3)
    batch = bench.engine.start_batch(CODES)
    begun = time.monotonic()
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert time.monotonic() - begun > 0.3
    assert bench.stocks("status, retry_count")[0] == ("completed", 0)
    assert bench.rows("SELECT rate / base_rate, throttled, storms FROM rate_limits") == [
        (0.5, 0, 1)
    ]


def test_a_run_of_refusals_pauses_the_batch(database: BatchDatabase) -> None:
    """The breaker says why; the refused stocks are pending again, and a resume completes them."""
    refused = {f"{code}.T": [Failure.FORBIDDEN] for code in CODES[:3]}
    bench = Bench(database, refused, breaker_threshold=3)
    batch = bench.engine.start_batch(CODES)
    result = bench.engine.run_chunk(batch)
    assert result.state is ChunkState.PAUSED
    assert (
        result.reason and "refused 3 calls in a row, the last one with forbidden" in result.reason
    )
    assert {status for (status,) in bench.stocks("status")} == {"pending"}
    assert bench.rows("SELECT worker_id FROM batch_events WHERE action = 'paused'") == [
        ("breaker",)
    ]
    bench.engine.resume_batch(batch)
    assert bench.rows("SELECT refused FROM rate_limits") == [(0,)]
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert_consistent(database, CODES)


def test_a_success_between_refusals_keeps_the_breaker_closed(database: BatchDatabase) -> None:
    """Only refusals in a row count; those of single stocks are recorded."""
    refused = {"7203.T": [Failure.FORBIDDEN], "9984.T": [Failure.FORBIDDEN]}
    bench = Bench(database, refused, breaker_threshold=2)
    assert bench.engine.run_chunk(bench.engine.start_batch(CODES)).state is ChunkState.DONE
    assert [status for (status,) in bench.stocks("status")] == [
        "failed",
        "completed",
        "failed",
        "completed",
    ]


def test_lost_connections_are_retried_and_open_the_breaker(database: BatchDatabase) -> None:
    """Each stock keeps its retries after the resume."""
    script = {f"{code}.T": [Failure.CONNECTION] for code in CODES}
    bench = Bench(database, script, breaker_threshold=4, retry_delay=0.3)
    batch = bench.engine.start_batch(CODES)
    assert bench.engine.run_chunk(batch).state is ChunkState.PAUSED
    bench.engine.resume_batch(batch)
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert_consistent(database, CODES)


@pytest.mark.parametrize(
    ("order", "state"), [("pause", ChunkState.PAUSED), ("stop", ChunkState.STOPPED)]
)
def test_an_order_is_obeyed_before_the_next_stock(
    database: BatchDatabase, order: str, state: ChunkState
) -> None:
    """The stock in work is finished, no other one is fetched, a resume goes on."""
    controller = BatchController(connect(database.settings))
    batch = ""

    def give() -> None:
        getattr(controller, order)(batch, by="ada", reason="maintenance")

    bench = Bench(database, {"6758.T": [give]})
    batch = bench.engine.start_batch(CODES)
    result = bench.engine.run_chunk(batch)
    assert (result.state, result.reason) == (state, "maintenance")
    assert bench.source and len(bench.source.asked) == 2
    assert [status for (status,) in bench.stocks("status")] == ["completed"] * 2 + ["pending"] * 2
    assert bench.engine.run_chunk(batch).state is state
    assert len(bench.source.asked) == 2
    controller.resume(batch, by="ada")
    assert bench.engine.run_chunk(batch).state is ChunkState.DONE
    assert_consistent(database, CODES)


def test_an_order_reaches_a_worker_that_waits(database: BatchDatabase) -> None:
    """Also in the middle of a fetch, before its next call: the stock is given back."""
    bench = Bench(database, burst_limit=1, requests_per_second=0.05)
    batch = bench.engine.start_batch(CODES)
    timer = threading.Timer(0.5, lambda: Bench(database).engine.pause_batch(batch))
    timer.start()
    begun = time.monotonic()
    assert bench.engine.run_chunk(batch).state is ChunkState.PAUSED
    assert time.monotonic() - begun < 3
    timer.join()
    assert bench.rows("SELECT tokens > -0.2 FROM rate_limits") == [(True,)]


def test_an_interrupted_worker_returns_after_its_stock(database: BatchDatabase) -> None:
    """And its stock is stored."""
    bench = Bench(database, {"7203.T": [lambda: bench.engine.interrupt()]})
    batch = bench.engine.start_batch(CODES)
    assert bench.engine.run_chunk(batch).state is ChunkState.INTERRUPTED
    assert [status for (status,) in bench.stocks("status")] == ["completed"] + ["pending"] * 3


def test_two_copies_of_a_task_store_everything_once(database: BatchDatabase) -> None:
    """A lease that ends under a slow source: the second worker's answer counts, not the first's."""
    slow = Bench(database, {"7203.T": [lambda: time.sleep(1.2)]}, lease_seconds=0.3)
    batch = slow.engine.start_batch(CODES)
    quick = Bench(database, lease_seconds=0.3)
    first = threading.Thread(target=slow.engine.run_chunk, args=(batch, 1))
    first.start()
    time.sleep(0.2)
    assert quick.engine.run_chunk(batch, 1).state is ChunkState.DONE
    first.join()
    assert quick.stocks("stock_code, worker_id, lease_token")[0] == (
        "7203",
        quick.engine.name,
        2,
    )
    slow.engine.finish(batch)
    assert_consistent(database, CODES)


def test_a_stock_is_tried_once_by_name(database: BatchDatabase) -> None:
    """`process_stock` claims just that one, and says so where it cannot."""
    bench = Bench(database)
    batch = bench.engine.start_batch(CODES)
    worker = bench.engine.worker
    assert worker.process_stock("9984", batch) == (True, 40, None)
    again = worker.process_stock("9984", batch)
    assert not again.success
    assert again.error_message and "9984 is not waiting in batch_" in again.error_message


def test_an_unchanged_stock_is_said_to_be_so(database: BatchDatabase) -> None:
    """The second execution stores nothing new."""
    for outcome, count in (("stored", 40), ("unchanged", 0)):
        bench = Bench(database)
        batch = bench.engine.start_batch(["7203"])
        bench.engine.run_chunk(batch)
        assert bench.rows(
            "SELECT outcome, records_inserted FROM batch_execution_details ORDER BY id DESC LIMIT 1"
        ) == [(outcome, count)]


def differential(database: BatchDatabase, script: dict[str, list[object]]) -> Bench:
    """A first run up to session 29, and a second one from session 20 on."""
    first = Bench(database)
    batch = first.engine.start_batch(["7203"], windows={"7203": (None, day(29))})
    first.engine.run_chunk(batch)
    second = Bench(database, script)
    windows = {"7203": (day(20), None)}
    batch = second.engine.start_batch(["7203"], mode=Mode.DIFFERENTIAL, windows=windows)
    second.engine.run_chunk(batch)
    return second


def test_a_differential_update_fetches_its_window(database: BatchDatabase) -> None:
    """One call, and only the new sessions are new rows."""
    second = differential(database, {})
    assert second.source and second.source.asked == [("7203.T", day(20), None)]
    assert second.rows("SELECT max(records_inserted) FROM batch_execution_details") == [(30,)]
    assert second.rows("SELECT trade_date FROM daily_bars WHERE provisional") == [(day(39),)]
    assert stored(database, "7203.T") == bars_of("7203.T")


def test_a_split_refetches_the_whole_history(database: BatchDatabase) -> None:
    """All stored prices are adjusted for it afterwards."""
    after = bars_of("7203.T", factor=2.0)
    after[35] = after[35]._replace(splits=2.0)
    second = differential(database, {"7203.T": [after, after]})
    assert second.source
    assert second.source.asked == [("7203.T", day(20), None), ("7203.T", day(0), None)]
    assert stored(database, "7203.T") == after


def test_a_changed_overlap_refetches_the_whole_history(database: BatchDatabase) -> None:
    """A split that is not in the window shows in the closes."""
    after = bars_of("7203.T", factor=2.0)
    second = differential(database, {"7203.T": [after, after]})
    assert second.source and len(second.source.asked) == 2
    assert stored(database, "7203.T") == after


def test_a_session_of_the_past_is_final(database: BatchDatabase) -> None:
    """A backfill of one session does not make it the newest one."""
    first = Bench(database)
    first.engine.run_chunk(first.engine.start_batch(["7203"]))
    window = {"7203": (day(3), day(3))}
    batch = first.engine.start_batch(
        ["7203"], mode=Mode.SESSION, session_date=day(3), windows=window
    )
    first.engine.run_chunk(batch)
    assert first.engine.find(batch).session_date == date(2025, 1, 9)
    assert first.rows("SELECT trade_date FROM daily_bars WHERE provisional") == [(day(39),)]


def test_a_source_that_does_not_exist_is_a_fault_of_settings(database: BatchDatabase) -> None:
    """The execution is not marked as failed for it."""
    config = BatchConfig(**QUICK, source="tests.nowhere:nothing")  # type: ignore[arg-type]
    engine = BatchEngine(config, Database(database.settings))
    batch = engine.start_batch(CODES)
    with pytest.raises(ConfigError, match="BATCH_SOURCE"):
        engine.run_chunk(batch)
    assert rows(database, "SELECT status FROM batch_executions") == [("running",)]
