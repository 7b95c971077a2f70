"""A batch for a test: Airflow with our DAG, and the loopback Yahoo and JPX as its upstream."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import psycopg2

from connectors.simulator.stocks.server import Settings, in_thread
from tests.dags.days import newest_day
from tests.integration.conftest import RunningAirflow, request

DAG = "/api/v2/dags/all_stocks_fetch"
END_STATES = ("success", "failed")


class Batch(NamedTuple):
    """One Airflow and one upstream, with what a test asks of them."""

    airflow: RunningAirflow
    upstream: str
    """Address of the loopback server."""

    def trigger(self, conf: Mapping[str, Any]) -> str:
        """Start a run by hand; its id."""
        status, answer = self.airflow.call(
            "POST", f"{DAG}/dagRuns", {"logical_date": None, "conf": dict(conf)}
        )
        assert status == 200, answer
        return str(answer["dag_run_id"])

    def state(self, run: str) -> str:
        """State of a run in Airflow."""
        return str(self.airflow.call("GET", f"{DAG}/dagRuns/{run}")[1]["state"])

    def tasks(self, run: str) -> dict[str, str]:
        """State of each task instance, mapped ones as `fetch[3]`."""
        _, answer = self.airflow.call("GET", f"{DAG}/dagRuns/{run}/taskInstances?limit=1000")
        return {
            each["task_id"] + (f"[{each['map_index']}]" if each["map_index"] >= 0 else ""): str(
                each["state"]
            )
            for each in answer["task_instances"]
        }

    def wait_end(self, run: str, seconds: float = 120) -> str:
        """State in which a run ended; the test fails with its tasks where it does not end.

        While Airflow or its database is away, or too busy to answer, that is waited for.
        """
        state = ""

        def ended() -> bool:
            nonlocal state
            with suppress(OSError, KeyError, TypeError):
                state = self.state(run)
            return state in END_STATES

        until(ended, seconds, lambda: f"run {run}, {state}: {self.tasks(run)}", poll=1)
        return state

    def order(self, batch: str, what: str) -> None:
        """Give an order on the batch page: pause, resume, stop, retry-failed."""
        status, answer = self.airflow.call("POST", f"/batch/api/executions/{batch}/{what}")
        assert status in (200, 202), answer

    def upstream_state(self) -> dict[str, Any]:
        """What the loopback server has counted."""
        return dict(self.control("GET", "state"))

    def control(self, method: str, path: str, body: object = None) -> Any:
        """One request to the loopback server's control interface."""
        status, answer = request(f"{self.upstream}/control/{path}", method, body)
        assert status < 300, answer
        return answer

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the batch's database."""
        settings = self.airflow.settings
        connection = psycopg2.connect(settings.database_url, passfile=str(settings.pgpass))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def execution(self, run: str, seconds: float = 60) -> str:
        """uuid of the execution of a run, once there is one."""
        query = "SELECT uuid::text FROM batch_executions WHERE run_id = %s"
        until(
            lambda: (
                self.rows("SELECT to_regclass('batch_executions')")[0][0] is not None
                and bool(self.rows(query, run))
            ),
            seconds,
            lambda: f"run {run} has no execution: {self.tasks(run)}",
        )
        return str(self.rows(query, run)[0][0])

    def processed(self, batch: str) -> int:
        """Stocks that are done."""
        return int(
            self.rows(
                "SELECT count(*) FROM batch_execution_details d"
                " JOIN batch_executions e ON e.id = d.batch_execution_id"
                " WHERE e.uuid = %s::uuid AND d.status IN ('completed', 'failed')",
                batch,
            )[0][0]
        )

    def stored(self) -> dict[str, list[list[Any]]]:
        """All bars in the database by symbol, oldest first, as the loopback server tells them."""
        bars: dict[str, list[list[Any]]] = {}
        for symbol, day, *values in self.rows(
            "SELECT symbol, trade_date, open, high, low, close, adj_close, volume, dividends,"
            " splits FROM daily_bars ORDER BY symbol, trade_date"
        ):
            bars.setdefault(symbol, []).append([day.isoformat(), *values])
        return bars

    def truth(self, symbol: str, query: str = "") -> list[list[Any]]:
        """The bars that a correct client has stored."""
        bars = self.control("GET", f"bars/{symbol}{query}")["bars"]
        names = ("trade_date", "open", "high", "low", "close", "adj_close", "volume")
        return [[bar[name] for name in (*names, "dividends", "splits")] for bar in bars]

    def ordinary(self) -> list[str]:
        """Codes that a run fetches by default."""
        issues = self.control("GET", "listing")["issues"]
        return sorted(issue["code"] for issue in issues if issue["ordinary"])

    def judge(self, batch: str, failed: tuple[str, ...] = ()) -> None:
        """The server's own count and its truth against the tables.

        Every symbol the server has fully served is stored whole and once, none is missed, and
        the counters are those of the rows.
        """
        codes = self.ordinary()
        served = self.upstream_state()["served"]
        expected = {f"{code}.T" for code in codes if code not in failed}
        assert expected <= set(served)
        stored = self.stored()
        assert set(stored) == expected
        wrong = [symbol for symbol in sorted(expected) if stored[symbol] != self.truth(symbol)]
        assert wrong == []
        rows = self.rows(
            "SELECT e.status, e.total_stocks, e.processed_stocks, e.successful_stocks,"
            " e.failed_stocks, e.records_inserted, count(*),"
            " count(*) FILTER (WHERE d.status = 'completed'),"
            " count(*) FILTER (WHERE d.status = 'failed'), sum(d.records_inserted)"
            " FROM batch_executions e"
            " JOIN batch_execution_details d ON d.batch_execution_id = e.id"
            " WHERE e.uuid = %s::uuid GROUP BY e.id",
            batch,
        )
        bars = sum(len(found) for found in stored.values())
        good, bad = len(codes) - len(failed), len(failed)
        assert rows == [
            ("completed", len(codes), len(codes), good, bad, bars, len(codes), good, bad, bars)
        ]

    def forget(self) -> None:
        """Empty the tables, and the server's counters and faults.

        The master too: another test's list may be longer, and a list that shrank is refused.
        """
        if self.rows("SELECT to_regclass('daily_bars')")[0][0] is not None:
            self.rows("TRUNCATE daily_bars, batch_executions, stocks, stock_listings CASCADE")
        self.control("POST", "reset")


@contextmanager
def batch_with(airflow: RunningAirflow, **settings: Any) -> Iterator[Batch]:
    """Put the loopback server where Airflow's services look for Yahoo; unpause the DAG."""
    with in_thread(Settings(port=airflow.upstream_port, today=newest_day(), **settings)) as running:
        batch = Batch(airflow, running.url)
        until(
            lambda: airflow.call("GET", DAG)[0] == 200,
            60,
            lambda: f"{airflow.call('GET', '/api/v2/importErrors')}",
        )
        airflow.call("PATCH", DAG, {"is_paused": False})
        yield batch


def until(
    found: Callable[[], bool],
    seconds: float,
    told: Callable[[], str] = lambda: "",
    poll: float = 0.3,
) -> None:
    """Ask until the answer is yes; the test fails with `told` where it never is."""
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {told()}"
        time.sleep(poll)
