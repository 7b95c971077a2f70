"""Whole runs of the DAG by Airflow's `dag.test`, against the loopback Yahoo and JPX."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import psycopg2
import pytest

from connectors.simulator.stocks.server import Running, Settings, in_thread
from docker.local.postgres import Postgres
from tests.dags.days import newest_day
from tests.dags.mailbox import Mailbox, mailbox

pytestmark = [pytest.mark.airflow, pytest.mark.integration]

ROOT = Path(__file__).resolve().parents[2]
TASKS = {
    "session_gate", "check_systems", "refresh_listing", "plan", "fetch", "check_integrity",
    "refill", "report", "notify", "watcher",
}  # fmt: skip


class World(NamedTuple):
    """A process that runs the DAG, and what it works with."""

    process: "subprocess.Popen[str]"
    upstream: Running
    box: Mailbox
    database_url: str
    passfile: Path

    def run(self, conf: dict[str, Any], **asked: str) -> dict[str, Any]:
        """Run the DAG; how it went."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"conf": conf, **asked}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the process ended with {self.process.wait()}"
        return dict(json.loads(line))

    def control(self, path: str, body: object = None) -> Any:
        """GET, or POST with a body, to the loopback server's control interface."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{self.upstream.url}/control/{path}", data, headers)) as answer:
            return json.load(answer)

    def session(self, back: int) -> str:
        """The day of the session that many before the newest (0), as 2026-11-20."""
        return str(self.control("bars/7203.T")["bars"][-1 - back]["trade_date"])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the batch's database."""
        connection = psycopg2.connect(
            self.database_url, passfile=str(self.passfile), options="-c search_path=run"
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def world(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Airflow on SQLite; twelve ordinary shares with a year of sessions; a mail server."""
    home = tmp_path_factory.mktemp("airflow")
    settings = postgres_server.settings
    played = Settings(symbols=12, years=1, today=newest_day())
    with in_thread(played) as upstream, mailbox() as box:
        env = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "DATABASE_URL": settings.database_url,
            "PGPASSFILE": str(settings.pgpass),
            "BATCH_SCHEMA": "run",
            "BATCH_BATCH_SIZE": "5",
            "BATCH_REQUESTS_PER_SECOND": "100",
            "BATCH_NOTIFY_URLS": box.url,
            "YAHOO_BASE_URL": upstream.url,
            "JPX_LISTING_URL": upstream.addresses["jpx"],
            "JPX_MIN_ROWS": "5",
            "STOCK_CACHE": str(home / "cache"),
        }
        with (home / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.dags.run_dag"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env={**os.environ, **env},
            )
            try:
                yield World(process, upstream, box, settings.database_url, settings.pgpass)
            finally:
                process.kill()
                process.wait()


def test_a_run_stores_all_fills_a_gap_reports_and_tells(world: World) -> None:
    """A session that the source first leaves out is fetched again; the counts are the server's."""
    day = world.session(back=8)
    gap = {"kind": "missing_rows", "symbols": ["7203"], "days": [day], "count": 1}
    world.control("faults", {**gap, "on": "price"})
    run = world.run({})
    assert run["state"] == "success"
    assert set(run["tasks"]) == TASKS
    assert run["tasks"]["fetch"] == ["success"] * 3
    assert run["tasks"]["watcher"] == ["skipped"]

    assert run["results"]["refill"] == {"refilled": 1, "missing": 0}
    truth = world.control("bars/7203.T")["bars"]
    stored = world.rows(
        "SELECT trade_date::text FROM daily_bars WHERE symbol = '7203.T' ORDER BY 1"
    )
    assert stored == [(bar["trade_date"],) for bar in truth]

    report = run["results"]["report"]
    assert report["counts"]["successful"] == len(world.control("state")["served"]) == 12
    assert report["findings"]["by_rule"]["missing_session"] == {"warning": 1}
    assert report["refill"]["sessions"] == 1
    ((markdown,),) = world.rows(
        "SELECT report_markdown FROM batch_executions WHERE report IS NOT NULL"
    )
    assert markdown.startswith(f"# {report['batch']['label']}: completed")
    assert world.box.subjects[-1].endswith("completed: 12 of 12 stocks")


def test_a_second_run_is_differential(world: World) -> None:
    """From the last stored session with an overlap; nothing new, so nothing is written."""
    run = world.run({"overlap_sessions": 3})
    assert run["state"] == "success"
    assert run["results"]["report"]["counts"]["unchanged"] == 12
    ((first, last),) = world.rows(
        "SELECT DISTINCT fetch_from::text, fetch_to FROM batch_execution_details"
        " WHERE batch_execution_id = (SELECT max(id) FROM batch_executions)"
    )
    assert (first, last) == (world.session(back=3), None)


def test_a_holiday_ends_green_at_the_gate(world: World) -> None:
    """Culture Day: everything after the gate is skipped, report, mail and watcher too."""
    told = len(world.box.subjects)
    run = world.run({}, run_type="scheduled", logical_date="2026-11-03T09:00:00+00:00")
    assert run["state"] == "success"
    assert run["results"] == {"session_gate": "not a session: 2026-11-03"}
    assert {task for task, states in run["tasks"].items() if states != ["skipped"]} == {
        "session_gate"
    }
    assert len(world.box.subjects) == told


def test_unknown_symbols_are_refused_before_any_fetch(world: World) -> None:
    """The run is red at once, without a retry, and people are told which task failed."""
    calls = world.control("state")["by_kind"]["price"]
    run = world.run({"mode": "symbols", "symbols": ["7203", "0001"]})
    assert run["state"] == "failed"
    assert run["tasks"]["plan"] == ["failed"]
    assert run["tasks"]["fetch"] == ["upstream_failed"]
    assert run["tasks"]["report"] == ["success"]
    assert run["tasks"]["watcher"] == ["failed"]
    assert world.control("state")["by_kind"]["price"] == calls
    assert world.box.subjects[-1].endswith("failed")


def test_a_backfill_fetches_its_session(world: World) -> None:
    """One bar of each stock asked for."""
    day = world.session(back=12)
    run = world.run(
        {"symbols": ["7203"]}, run_type="backfill", logical_date=f"{day}T09:00:00+00:00"
    )
    assert run["state"] == "success"
    assert run["results"]["report"]["records"]["fetched"] == 1
    assert run["results"]["report"]["batch"]["session_date"] == day
