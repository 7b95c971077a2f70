"""The engine with the real yfinance, against a local server that speaks Yahoo's protocol."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from connectors.simulator.stocks.faults import Fault
from connectors.simulator.stocks.server import Running, Settings, in_thread
from connectors.stocks.bars import Bar
from dags.batch.config import BatchConfig
from dags.batch.database import Database
from dags.batch.engine import BatchEngine, ChunkState
from dags.batch.models import BatchStatus
from tests.dags.batch.parts import QUICK, rows, stored
from tests.dags.conftest import BatchDatabase

pytestmark = [pytest.mark.airflow, pytest.mark.integration]

TODAY = date(2026, 11, 17)
HOST = """
import sys
from dags.batch.config import BatchConfig
from dags.batch.database import Database
from dags.batch.engine import BatchEngine
if __name__ == "__main__":
    print(BatchEngine(BatchConfig.load(), Database()).run(sys.argv[1]).state.value)
"""


def ask(running: Running, path: str) -> Any:
    """An answer of the server's control."""
    with urlopen(f"{running.url}/control/{path}", timeout=10) as answer:
        return json.load(answer)


def codes_of(running: Running) -> list[str]:
    """The codes of the ordinary shares."""
    return [issue["code"] for issue in ask(running, "listing")["issues"] if issue["ordinary"]]


def truth(running: Running, code: str) -> list[Bar]:
    """What must be stored of a stock."""
    bars = ask(running, f"bars/{code}.T")["bars"]
    return [Bar(**{**bar, "trade_date": date.fromisoformat(bar["trade_date"])}) for bar in bars]


def assert_all_stored(database: BatchDatabase, running: Running, codes: list[str]) -> None:
    """Every stock's bars are the server's, counters equal rows, and nobody is at work."""
    for code in codes:
        assert stored(database, f"{code}.T") == truth(running, code), code
    [counted] = rows(
        database,
        "SELECT processed_stocks, successful_stocks, records_inserted FROM batch_executions",
    )
    [found] = rows(
        database,
        "SELECT count(*) FILTER (WHERE status IN ('completed', 'failed')), "
        "count(*) FILTER (WHERE status = 'completed'), (SELECT count(*) FROM daily_bars) "
        "FROM batch_execution_details",
    )
    assert counted == found


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Running], None]:
    """Sets the address of Yahoo and a cache folder."""

    def use(running: Running) -> None:
        monkeypatch.setenv("YAHOO_BASE_URL", running.url)
        monkeypatch.setenv("STOCK_CACHE", str(tmp_path / "cache"))

    return use


def test_yahoos_failures_are_handled_each_in_its_way(
    database: BatchDatabase, environment: Callable[[Running], None]
) -> None:
    """A storm of 429, passing faults, an unknown symbol: what can be stored is stored."""
    with in_thread(Settings(symbols=16, today=TODAY)) as plain:
        codes = codes_of(plain)
    faults = (
        Fault(kind="not_found", symbols=[codes[1]]),
        Fault(kind="server_error", symbols=[codes[2]], per_symbol=1),
        Fault(kind="truncated", symbols=[codes[3]], per_symbol=1),
        Fault(kind="malformed", symbols=[codes[4]], per_symbol=1),
        Fault(kind="empty", symbols=[codes[6]], per_symbol=1),
        Fault(kind="unavailable", symbols=[codes[7]], per_symbol=9),
        Fault(kind="rate_limit", count=2, after_calls=10),
    )
    with in_thread(Settings(symbols=16, today=TODAY, faults=faults)) as running:
        environment(running)
        engine = BatchEngine(BatchConfig(**QUICK), Database(database.settings))
        batch = engine.start_batch(codes)
        assert engine.run_chunk(batch).state is ChunkState.DONE
        finished = engine.finish(batch)
        assert (finished.status, finished.failed) == (BatchStatus.COMPLETED, 2)
        failed = rows(
            database,
            "SELECT stock_code, error_class, error_code, retry_count FROM "
            "batch_execution_details WHERE status = 'failed' ORDER BY id",
        )
        assert failed == [
            (codes[1], "PERMANENT", "not_found", 0),
            (codes[7], "TEMPORARY", "server_error", 3),
        ]
        assert_all_stored(database, running, [c for c in codes if c not in (codes[1], codes[7])])
        state = ask(running, "state")
        assert finished.http_calls == state["http_calls"]
        assert state["by_status"]["429"] == 2


@pytest.mark.long
def test_kills_at_any_moment_lose_and_double_nothing(
    database: BatchDatabase, environment: Callable[[Running], None], tmp_path: Path
) -> None:
    """Two hosts, workers killed with -9 again and again, at last everything; then it goes on."""
    script = tmp_path / "host.py"
    script.write_text(HOST)
    draw = random.Random(11)
    root = Path(__file__).resolve().parents[3]

    def start(name: str, batch: str) -> "subprocess.Popen[str]":
        env = {
            **os.environ,
            "PYTHONPATH": str(root),
            "BATCH_WORKER_HOST": name,
            "BATCH_MAX_WORKERS": "2",
            **{f"BATCH_{key.upper()}": str(value) for key, value in settings.items()},
        }
        return subprocess.Popen(
            [sys.executable, str(script), batch],
            env=env,
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    settings = {**QUICK, "requests_per_second": 40, "burst_limit": 5}
    with in_thread(Settings(symbols=400, today=TODAY)) as running:
        environment(running)
        engine = BatchEngine(BatchConfig(**settings), Database(database.settings))
        codes = codes_of(running)
        batch = engine.start_batch(codes)
        done = "SELECT count(*) FROM batch_execution_details WHERE status = 'completed'"
        hosts = [start(name, batch) for name in ("east", "west")]
        kills = 0
        while rows(database, done)[0][0] < 200:
            time.sleep(draw.uniform(0.5, 2.0))
            host = draw.choice(hosts)
            workers = [
                child
                for child in psutil.Process(host.pid).children()
                if "spawn_main" in " ".join(child.cmdline())
            ]
            if workers and kills < 8:
                draw.choice(workers).kill()
                kills += 1
        for host in hosts:
            os.killpg(host.pid, signal.SIGKILL)
            host.wait(10)
        again = [start(name, batch) for name in ("east", "west")]
        assert [host.communicate(timeout=120)[0].strip() for host in again] == ["done", "done"]
        assert engine.finish(batch).status is BatchStatus.COMPLETED
        assert kills >= 3
        assert_all_stored(database, running, codes)
        served = ask(running, "state")["served"]
        assert {symbol.removesuffix(".T") for symbol in served} == set(codes)
        # Only a stock that was in the hands of a killed worker was served again.
        assert sum(served.values()) <= len(codes) + kills + 4
