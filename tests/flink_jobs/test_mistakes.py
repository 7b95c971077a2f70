"""Mistakes that analysts make: each is told with file, line, cause and remedy."""

import os
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import pytest

from flink_jobs.catalog import Catalog
from flink_jobs.errors import SqlError
from flink_jobs.jobs import explain_job, plan_job
from flink_jobs.lint import unbounded
from flink_jobs.settings import ROOT, Settings

pytestmark = pytest.mark.flink
WINDOW = "FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))"
HOP = WINDOW.replace("TUMBLE", "HOP").replace("INTERVAL", "INTERVAL '{}' SECOND, INTERVAL")
GROUP = "GROUP BY symbol, window_start, window_end"
HEAD = "SELECT symbol, window_start,"
OVER = "OVER (PARTITION BY symbol ORDER BY {} ROWS BETWEEN {} PRECEDING AND CURRENT ROW)"


class Mistake(NamedTuple):
    """A model's SELECT, the key of its header, and what must be told."""

    body: tuple[str, ...]
    line: int
    cause: str
    remedy: str
    key: str = "symbol, window_start"


MISTAKES = {
    "unknown column": Mistake(
        (HEAD, "MAX(prise) AS high", WINDOW, GROUP), 5, "(did you mean price?)", "check the name"
    ),
    "unknown view": Mistake(("SELECT symbol FROM tradez",), 4, "'tradez' not found", "sql/views"),
    "unknown function": Mistake(
        (HEAD, "MEDIAN_OF(price) AS p", WINDOW, GROUP), 5, "MEDIAN_OF", "function's name"
    ),
    "wrong type": Mistake((HEAD, "SUM(side) AS x", WINDOW, GROUP), 5, "Cannot apply 'SUM'", "CAST"),
    "time against number": Mistake(
        (HEAD, "MAX(price) AS high", WINDOW, "WHERE event_time > ts_event", GROUP),
        7,
        "Cannot apply '>'",
        "TO_TIMESTAMP_LTZ",
    ),
    "window key missing": Mistake(
        (HEAD, "MAX(price) AS high", WINDOW, "GROUP BY symbol"), 4, "not being grouped", "GROUP BY"
    ),
    "half a window in GROUP BY": Mistake(
        (HEAD, "MAX(price) AS high", WINDOW, "GROUP BY symbol, window_start"),
        7,
        "window_end is missing in GROUP BY",
        "window_start and window_end",
    ),
    "column not grouped": Mistake(
        (HEAD, "price AS high", WINDOW, GROUP), 5, "'price' is not being grouped", "aggregate it"
    ),
    "hop is no multiple": Mistake(
        (HEAD, "MAX(price) AS high", HOP.format(7), GROUP), 6, "integral multiple", "multiple of"
    ),
    "first value of a hop": Mistake(
        (HEAD, "FIRST_VALUE(price) AS o", HOP.format(10), GROUP), 5, "'merge'", "price_in_order"
    ),
    "window over a number": Mistake(
        (HEAD, "MAX(price) AS high", WINDOW.replace("event_time", "ts_event"), GROUP),
        6,
        "requires the timecol",
        "event_time",
    ),
    "two OVER windows": Mistake(
        (
            "SELECT symbol, trade_id,",
            f"SUM(price) {OVER.format('event_time', 1)} AS a,",
            f"SUM(price) {OVER.format('event_time', 2)} AS b",
            "FROM trades",
        ),
        5,
        "All aggregates must be computed on the same window",
        "outer SELECT",
        "symbol, trade_id",
    ),
    "OVER ordered by a number": Mistake(
        (
            "SELECT symbol, trade_id,",
            f"SUM(price) {OVER.format('ts_event', 1)} AS a",
            "FROM trades",
        ),
        5,
        "Non-time attribute sort",
        "event_time",
        "symbol, trade_id",
    ),
    "sorted by a price": Mistake(
        ("SELECT symbol, trade_id, price", "FROM trades", "ORDER BY price"),
        6,
        "Sort on a non-time-attribute",
        "Top-N",
        "symbol, trade_id",
    ),
    "window over a window": Mistake(
        (
            "SELECT symbol, window_start, MAX(high) AS high",
            "FROM TABLE(TUMBLE(TABLE bars_1m, DESCRIPTOR(window_time), INTERVAL '5' MINUTE))",
            GROUP,
        ),
        6,
        "'window_start' is ambiguous",
        "rename",
    ),
    "no key": Mistake((HEAD, "MAX(price) AS high", WINDOW, GROUP), 1, "no Key", "-- Key:", ""),
    "key that can be NULL": Mistake(
        ("SELECT side FROM trades",), 2, "key column side can be NULL", "COALESCE", "side"
    ),
    "key not selected": Mistake(
        ("SELECT symbol FROM trades",), 2, "window_start is not in the SELECT", "select it"
    ),
    "key by chance": Mistake(
        ("SELECT UUID() AS id, price FROM trades",), 4, "comes from UUID", "ids and event", "id"
    ),
    "key of the clock": Mistake(
        ("SELECT symbol,", "CURRENT_TIMESTAMP AS at_time FROM trades"),
        5,
        "comes from CURRENT_TIMESTAMP",
        "event times",
        "symbol, at_time",
    ),
    "reserved word": Mistake(
        (HEAD, "MAX(price) AS value", WINDOW, GROUP), 5, 'Encountered "value"', "backticks"
    ),
    "aggregate in WHERE": Mistake(
        (HEAD, "MAX(price) AS high", WINDOW, "WHERE MAX(price) > 5", GROUP),
        7,
        "illegal in WHERE",
        "HAVING",
    ),
    "uneven UNION": Mistake(
        ("SELECT symbol, trade_id FROM trades UNION ALL", "SELECT symbol FROM trades"),
        5,
        "Column count mismatch",
        "same columns",
        "symbol, trade_id",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the SQL files, for models that should not be."""
    os.environ.update(Settings().flink_environment())
    path = tmp_path_factory.mktemp("checkout") / "sql"
    copytree(ROOT / "sql", path)
    return path


def planned(folder: Path, body: tuple[str, ...], key: str) -> list[str]:
    """Warnings of a model, planned to the end. SqlError where it is wrong."""
    path = folder / "windows/trial.sql"
    header = ["-- Question: What?", f"-- Key: {key}" if key else "--", "-- Sinks: kafka"]
    path.write_text("\n".join([*header, *body]) + "\n")
    try:
        plan, engine = plan_job(Catalog.load(folder, {}), str(path))
        return unbounded(explain_job(plan, engine), plan.settings)
    finally:
        path.unlink()


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_remedy(folder: Path, name: str) -> None:
    """File and line, the cause in one line, and what to do; no stack."""
    mistake = MISTAKES[name]
    with pytest.raises(SqlError) as caught:
        planned(folder, mistake.body, mistake.key)
    fault = caught.value
    assert (fault.path, fault.line) == ("sql/windows/trial.sql", mistake.line)
    assert mistake.cause in fault.message
    assert "\n" not in fault.message
    assert mistake.remedy in fault.remedy


@pytest.mark.parametrize(
    "body",
    [
        ("SELECT symbol, COUNT(*) AS n FROM trades GROUP BY symbol",),
        (
            "SELECT t.symbol, q.bid_price FROM trades AS t",
            "JOIN quotes AS q ON t.symbol = q.symbol",
        ),
    ],
)
def test_state_that_nothing_drops_is_warned_of(folder: Path, body: tuple[str, ...]) -> None:
    """A grouping or join over all time gets a warning; with a TTL it does not."""
    (warning,) = planned(folder, body, "symbol")
    assert "unbounded state" in warning and "table.exec.state.ttl" in warning
    assert planned(folder, ("SET 'table.exec.state.ttl' = '1 d';", *body), "symbol") == []
