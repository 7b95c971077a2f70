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
from urllib.request import Request, urlopen

import psutil
import pytest

from connectors.simulator.stocks.faults import Fault
from connectors.simulator.stocks.server import Running, Settings, in_thread
from connectors.stocks.bars import Bar
from dags.batch.config import BatchConfig
from dags.batch.database import Database
from dags.batch.engine import BatchEngine, ChunkState
from dags.batch.models import BatchStatus, Mode
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


def order(running: Running, path: str, body: object) -> None:
    """An order to the server's control."""
    request = Request(f"{running.url}/control/{path}", json.dumps(body).encode())
    urlopen(request, timeout=10).close()


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


def test_a_dividend_and_a_split_rewrite_what_is_stored(
    database: BatchDatabase, environment: Callable[[Running], None]
) -> None:
    """A differential update over their days: closes of years ago are the server's again."""
    before, after = date(2026, 3, 25), date(2026, 4, 3)
    with in_thread(Settings(symbols=12, years=2, today=before)) as running:
        environment(running)
        codes = codes_of(running)
        engine = BatchEngine(BatchConfig(**QUICK), Database(database.settings))
        first = engine.start_batch(codes)
        engine.run_chunk(first)
        old = {code: stored(database, f"{code}.T") for code in codes}
        assert old == {code: truth(running, code) for code in codes}

        order(running, "clock", {"today": str(after)})
        split = {"symbol": codes[0], "date": "2026-03-30", "ratio": 2}
        order(running, "corporate-action", split)
        window = (date(2026, 3, 18), None)
        second = engine.start_batch(
            codes, mode=Mode.DIFFERENTIAL, windows=dict.fromkeys(codes, window)
        )
        engine.run_chunk(second)
        new = {code: stored(database, f"{code}.T") for code in codes}
        assert new == {code: truth(running, code) for code in codes}
        rewritten = {code for code in codes if new[code][0].adj_close != old[code][0].adj_close}
        assert codes[0] in rewritten and 3 <= len(rewritten) < len(codes)
        # One call for each, another one where all had to be fetched anew, two for the credentials.
        assert ask(running, "state")["http_calls"] == 2 * len(codes) + len(rewritten) + 2


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
