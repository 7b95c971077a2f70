"""Worker hosts: several processes on one execution, killed and ended."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from dags.batch.config import BatchConfig
from dags.batch.database import Database
from dags.batch.engine import BatchEngine
from dags.batch.models import BatchStatus
from tests.dags.batch.parts import QUICK, Bench, assert_consistent, rows
from tests.dags.batch.source import broken_source
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration

RUN = """
import sys
from dags.batch.config import BatchConfig
from dags.batch.config import BatchConfig
from dags.batch.database import Database
from dags.batch.engine import BatchEngine
if __name__ == "__main__":
    result = BatchEngine(BatchConfig.load(), Database()).run(sys.argv[1])
    print(result.state.value)
"""


@pytest.fixture
def start_host(database: BatchDatabase, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a worker host of its own name: `start_host(batch, "east", workers=2)`."""
    script = tmp_path / "host.py"
    script.write_text(RUN)

    def start(
        batch: str, name: str, workers: int = 2, delay: float = 0.02
    ) -> "subprocess.Popen[str]":
        env = {
            **os.environ,
            **database.env,
            "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
            "BATCH_WORKER_HOST": name,
            "BATCH_MAX_WORKERS": str(workers),
            "BATCH_SOURCE": "tests.dags.batch.source:ledger_source",
            "LEDGER": str(tmp_path / "ledger"),
            "LEDGER_DELAY": str(delay),
            **{f"BATCH_{key.upper()}": str(value) for key, value in QUICK.items()},
        }
        return subprocess.Popen(
            [sys.executable, str(script), batch],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    return start


def codes(count: int) -> list[str]:
    """That many codes."""
    return [f"{1000 + number}" for number in range(count)]


def new_batch(database: BatchDatabase, stocks: list[str]) -> tuple[BatchEngine, str]:
    """An execution with those stocks."""
    engine = Bench(database).engine
    return engine, engine.start_batch(stocks)


def wait_for_done(database: BatchDatabase, count: int, timeout: float = 60) -> None:
    """Until so many stocks are completed."""
    deadline = time.monotonic() + timeout
    query = "SELECT count(*) FROM batch_execution_details WHERE status = 'completed'"
    while rows(database, query)[0][0] < count:
        assert time.monotonic() < deadline, "the workers do not get on"
        time.sleep(0.02)


def workers_of(host: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The worker processes of a host, without Python's resource tracker."""
    return [
        child
        for child in psutil.Process(host.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]


def test_two_hosts_share_an_execution(
    database: BatchDatabase, tmp_path: Path, start_host: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """Leases keep two process trees apart: each stock is fetched once, by one of them."""
    stocks = codes(120)
    engine, batch = new_batch(database, stocks)
    hosts = [start_host(batch, name, delay=0.05) for name in ("east", "west")]
    assert [host.communicate(timeout=60)[0].strip() for host in hosts] == ["done", "done"]
    assert engine.finish(batch).status is BatchStatus.COMPLETED
    assert_consistent(database, stocks)
    served = [line.split() for line in (tmp_path / "ledger").read_text().splitlines()]
    assert Counter(symbol for symbol, _ in served) == Counter(f"{code}.T" for code in stocks)
    assert set(Counter(host for _, host in served)) == {"east", "west"}


def test_a_host_told_to_end_finishes_its_stocks(
    database: BatchDatabase, start_host: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """SIGTERM: what is in work is stored, nothing is held any longer, nobody is left."""
    _, batch = new_batch(database, codes(400))
    host = start_host(batch, "east")
    wait_for_done(database, 5)
    workers = workers_of(host)
    host.send_signal(signal.SIGTERM)
    assert host.communicate(timeout=20)[0].strip() == "interrupted"
    assert not any(worker.is_running() for worker in workers)
    held = "SELECT count(*) FROM batch_execution_details WHERE status = 'processing'"
    assert rows(database, held) == [(0,)]
    assert rows(database, "SELECT status FROM batch_executions") == [("running",)]


def test_killed_workers_leave_no_half_stock(
    database: BatchDatabase, tmp_path: Path, start_host: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """kill -9 of workers at any moment, and of a whole host; the same execution goes on.

    What was served is stored once, none is missed, the counters equal the rows.
    """
    stocks = codes(200)
    engine, batch = new_batch(database, stocks)
    host = start_host(batch, "east", workers=3)
    draw = random.Random(7)
    killed = 0
    for mark in (5, 25, 45, 65):
        wait_for_done(database, mark)
        time.sleep(draw.random() / 20)
        victims = workers_of(host)
        if victims:
            draw.choice(victims).kill()
            killed += 1
    wait_for_done(database, 90)
    os.killpg(host.pid, signal.SIGKILL)
    host.wait(10)
    assert killed == 4
    again = start_host(batch, "east", workers=3)
    assert again.communicate(timeout=60)[0].strip() == "done"
    assert engine.finish(batch).status is BatchStatus.COMPLETED
    assert_consistent(database, stocks)
    served = Counter(line.split()[0] for line in (tmp_path / "ledger").read_text().splitlines())
    assert set(served) == {f"{code}.T" for code in stocks}
    # Whoever was killed between the answer and the commit had its stock fetched once more.
    assert sum(served.values()) <= len(stocks) + killed + 3


def test_workers_do_not_outlive_a_killed_host(
    database: BatchDatabase, start_host: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """They finish their stock and end."""
    _, batch = new_batch(database, codes(400))
    host = start_host(batch, "east")
    wait_for_done(database, 5)
    workers = workers_of(host)
    host.kill()
    host.wait(10)
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    held = "SELECT count(*) FROM batch_execution_details WHERE status = 'processing'"
    assert rows(database, held) == [(0,)]


def test_a_fault_of_the_system_ends_the_host(database: BatchDatabase) -> None:
    """Its workers are not replaced; the execution says why."""
    _, batch = new_batch(database, codes(40))
    config = BatchConfig(**{**QUICK, "max_workers": 2})
    result = BatchEngine(config, Database(database.settings), broken_source).run(batch)
    assert result.state == "failed"
    assert result.reason and "unexpected ZeroDivisionError" in result.reason


def test_a_host_without_work_returns_at_once(database: BatchDatabase) -> None:
    """No process is started for an execution that is done."""
    bench = Bench(database)
    batch = bench.engine.start_batch(["7203"])
    bench.engine.run_chunk(batch)
    assert BatchEngine(bench.config, Database(database.settings)).run(batch).state == "done"
