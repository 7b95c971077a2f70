"""Orders to executions, by whatever name they are called."""

import json
import logging
import select

import pytest

from dags.batch.controller import BatchController
from dags.batch.database import connect
from dags.batch.errors import ForbiddenTransition, UnknownBatch
from dags.batch.events import CHANNEL
from tests.dags.batch.parts import CODES, Bench
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration


@pytest.fixture
def controller(database: BatchDatabase) -> BatchController:
    """On a connection of its own."""
    return BatchController(connect(database.settings))


def test_orders_are_logged_with_who_and_why(
    database: BatchDatabase, controller: BatchController, caplog: pytest.LogCaptureFixture
) -> None:
    """A row and a JSON line each; a fulfilled order is not logged again."""
    caplog.set_level(logging.INFO, "batch")
    bench = Bench(database)
    batch = bench.engine.start_batch(CODES)
    paused = controller.pause(batch, by="ada", reason="maintenance")
    assert (paused.status, paused.reason) == ("paused", "maintenance")
    assert controller.pause(paused.label, by="bob").reason == "maintenance"
    assert controller.resume(paused.id, by="bob").reason is None
    stopped = controller.stop(batch, by="cyd")
    assert stopped.end_time
    assert bench.rows(
        "SELECT action, worker_id, error_message FROM batch_events WHERE action <> 'started' "
        "ORDER BY id"
    ) == [("paused", "ada", "maintenance"), ("resumed", "bob", None), ("stopped", "cyd", None)]
    lines = [json.loads(record.message) for record in caplog.records if record.name == "batch"]
    assert [line["action"] for line in lines] == ["started", "paused", "resumed", "stopped"]
    assert set(lines[0]) == {
        "timestamp",
        "batch_id",
        "worker_id",
        "stock_code",
        "action",
        "status",
        "duration_ms",
        "records_count",
        "error_message",
        "error_class",
        "retry_count",
    }
    assert lines[1]["batch_id"] == paused.label


def test_forbidden_orders_change_nothing(
    database: BatchDatabase, controller: BatchController
) -> None:
    """They say why and what to do."""
    bench = Bench(database)
    batch = bench.engine.start_batch(CODES)
    controller.stop(batch, by="ada")
    with pytest.raises(ForbiddenTransition, match="cannot become paused: it is stopped: resume"):
        controller.pause(batch, by="ada")
    controller.resume(batch, by="ada")
    bench.engine.run_chunk(batch)
    bench.engine.finish(batch)
    with pytest.raises(ForbiddenTransition, match="retry its failed stocks"):
        controller.resume(batch, by="ada")
    assert controller.status(batch) == "completed"
    with pytest.raises(UnknownBatch):
        controller.stop("nothing", by="ada")


def test_a_failed_execution_can_be_resumed(
    database: BatchDatabase, controller: BatchController
) -> None:
    """And loses its reason and its end."""
    batch = Bench(database).engine.start_batch(CODES)
    assert controller.fail(batch, by="ada", reason="disk full").end_time
    resumed = controller.resume(batch, by="ada")
    assert (resumed.status, resumed.reason, resumed.end_time) == ("running", None, None)


def test_listeners_hear_of_an_order(database: BatchDatabase, controller: BatchController) -> None:
    """The payload is the execution's id."""
    bench = Bench(database)
    batch = bench.engine.start_batch(CODES)
    listener = connect(database.settings, autocommit=True)
    with listener.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    controller.pause(batch, by="ada")
    assert select.select([listener], [], [], 5)[0]
    listener.poll()
    assert [notice.payload for notice in listener.notifies] == [str(bench.engine.find(batch).id)]


def test_executions_can_be_listed(database: BatchDatabase, controller: BatchController) -> None:
    """Newest first; and found by Airflow's run."""
    engine = Bench(database).engine
    batches = [engine.start_batch(CODES, run_id=f"run {number}") for number in range(3)]
    assert [execution.uuid for execution in controller.latest(2)] == batches[:0:-1]
    found = controller.find_run("run 1")
    assert found and found.uuid == batches[1]
    assert controller.find_run("run 9") is None
