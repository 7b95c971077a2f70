"""kill -9 in mid-run: the same run goes on, and the loopback server's count is the judge."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from docker.local.process import carriers
from docker.local.settings import ROOT
from docker.local.supervisor import Supervisor
from tests.integration.batch import Batch, batch_with, until
from tests.integration.conftest import RunningAirflow, airflow_with

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

STOCKS = 120
CONF = {
    "mode": "full",
    "requests_per_second": 8,
    "burst_limit": 5,
    "batch_size": 15,
    "worker_timeout": 5,
}


@pytest.fixture(scope="module")
def airflow() -> Iterator[RunningAirflow]:
    """An Airflow to be hurt, whose services are started again as `make batch` does it."""
    with airflow_with(ROOT / "dags", {"BATCH_LEASE_SECONDS": "10"}, dead_after=15) as running:
        yield running


@pytest.fixture(scope="module")
def batch(airflow: RunningAirflow) -> Iterator[Batch]:
    """120 ordinary shares."""
    with batch_with(airflow, symbols=STOCKS) as running:
        yield running


def task_of(batch: Batch) -> psutil.Process:
    """The process of a task that holds a stock."""
    query = "SELECT worker_id FROM batch_execution_details WHERE status = 'processing' LIMIT 1"
    until(lambda: bool(batch.rows(query)), 30, poll=0.02)
    ((worker,),) = batch.rows(query)
    return psutil.Process(int(worker.rsplit(":", 3)[1]))


def kill_task(batch: Batch) -> None:
    """The process that fetches."""
    task_of(batch).kill()


def kill_supervisor(batch: Batch) -> None:
    """Its parent, which reports to Airflow for it; the task lives on as an orphan for a while."""
    parent = task_of(batch).parent()
    assert parent is not None
    parent.kill()


def kill_service(name: str) -> Callable[[Batch], None]:
    """The main process of a service; its children live on as orphans."""

    def kill(batch: Batch) -> None:
        found = batch.airflow.stack.service(name).process.find()
        assert found is not None
        found.kill()

    return kill


def kill_everything(batch: Batch) -> None:
    """Every process of the stack, as a power cut does."""
    end = f"@{batch.airflow.settings.market_streams_state}"
    for process, tag in list(carriers()):
        if tag.endswith(end):
            with suppress(psutil.NoSuchProcess):
                process.kill()


KILLS = {
    "task": kill_task,
    "supervisor": kill_supervisor,
    "scheduler": kill_service("airflow-scheduler"),
    "postgres": kill_service("postgres"),
    "everything": kill_everything,
}


@pytest.mark.parametrize("victim", KILLS)
def test_run_goes_on_after_a_kill(batch: Batch, victim: str) -> None:
    """A third is done, the victim dies, the run ends green with every stock stored once."""
    batch.forget()
    reports: list[str] = []
    with Supervisor(batch.airflow.stack.services, reports.append, poll_seconds=0.2):
        run = batch.trigger(CONF)
        execution = batch.execution(run)
        until(lambda: batch.processed(execution) >= STOCKS // 3, 90)
        KILLS[victim](batch)
        assert batch.wait_end(run, 300) == "success", (batch.tasks(run), reports)
    batch.judge(execution)
    left = batch.rows("SELECT count(*) FROM batch_execution_details WHERE status = 'processing'")
    assert left == [(0,)]
