"""The jobs of sql/ on the real stack: submitted by `flink run`, rows in PostgreSQL and in topics.

One story, told once for all tests: trades of two venues around both clock changes of New York,
whose zone the client and the test have; records with impossible times; rows that come too late;
then the edited model, submitted from a later start.
"""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from flink_jobs.cluster import Cluster
from flink_jobs.settings import ROOT
from flink_jobs.submit import submit
from tests.integration.job_stage import VENUES, Row, Trades, heartbeat, micros, record, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
NAME = "jobs_test"
SPRING = datetime(2026, 3, 8, 2, 25, tzinfo=UTC)
"""New York has no 02:30 on this day: clocks go from 02:00 to 03:00."""
AUTUMN = datetime(2026, 11, 1, 1, 25, tzinfo=UTC)
MINUTES = (0, 5, 6, 65, 66)
TABLES = ("bars_1m", "moving_average_1h_10m", "trade_sessions_30s", "alerts")
KEYS = {"alerts": ("alert_id",)}
WINDOW_KEY = ("exchange", "symbol", "window_start")


def market() -> list[Row]:
    """Trades of both venues in the minutes of interest, each minute's rows out of order."""
    rows = []
    for day, start in enumerate((SPRING, AUTUMN)):
        for venue in VENUES:
            for minute in MINUTES:
                at = micros(start) + minute * 60_000_000
                for place, second in enumerate((3, 1, 2)):
                    number = day * 1000 + minute * 10 + second
                    price = f"{60_000 + second * 700}.1234567891"
                    rows.append(
                        record(
                            venue,
                            at + second * 1_000_000,
                            number,
                            price=price,
                            size=f"{place + 1}.00000001",
                            side=("buy", "sell")[place & 1],
                        )
                    )
    return rows


ODD = (
    {"ts_event": None, "symbol": "NULL-TIME"},
    {"ts_event": 0, "symbol": "ZERO"},
    {"ts_event": -1, "symbol": "NEGATIVE"},
    {"ts_event": micros(SPRING) + 7_200_000_000, "ts_recv": micros(SPRING), "symbol": "AHEAD"},
    {"ts_event": 2**63 - 1, "ts_recv": None, "symbol": "BEYOND"},
)
LATE = micros(SPRING) + 60_000_000
"""A minute that has closed when its row comes, in hours of which most are still open."""


class Run(NamedTuple):
    """What is left when the story has been told."""

    tables: dict[str, list[Row]]
    topics: dict[str, list[Row]]
    late: list[Row]
    jobs: dict[str, str]
    restarts: dict[str, int]
    recomputed: str
    corrected: list[Row]
    keys: list[bytes]
    backtest: str
    trend: list[Row]
    edited: list[Row]
    first: datetime


@pytest.fixture(scope="module")
def run(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Tell the story once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        stage = Trades(stack, monkeypatch, NAME, TZ="America/New_York", IDLE_TIMEOUT="15 s")
        try:
            yield tell(stage, tmp_path_factory.mktemp("edited"))
        finally:
            stage.end()


def tell(stage: Trades, folder: Path) -> Run:
    """Publish, submit, wait, publish what is late, wait, edit, submit again."""
    admin = AdminClient({"bootstrap.servers": stage.stack.bootstrap})
    topic = NewTopic(f"{stage.prefix}market.trades", 2, 1, config={"retention.ms": "-1"})
    admin.create_topics([topic])[topic.topic].result()
    spring = [row for row in market() if row["ts_event"] < micros(AUTUMN)]
    between = micros(SPRING) + 4 * 60_000_000
    early = [row for row in spring if row["ts_event"] < between]
    odd = [record(VENUES[0], 0, number, **values) for number, values in enumerate(ODD)]
    stage.write([*early, *odd, *(heartbeat(venue, between) for venue in VENUES)])
    jobs = submit(stage.settings, ["--job", "bars", "--job", "alerts"])
    until(lambda: stage.count("bars_1m", "symbol = 'BTC-USDT'") == 2, "the first bars")
    stage.write([record(VENUES[0], LATE, 999)])
    later = [row for row in market() if row not in early]
    end = micros(AUTUMN) + 4 * 3_600_000_000
    stage.write([*later, *(heartbeat(venue, end) for venue in VENUES)])
    until(lambda: stage.count("bars_1m", "symbol = 'BTC-USDT'") == 20, "all bars")
    until(lambda: stage.count("trade_sessions_30s", "symbol = 'BTC-USDT'") == 20, "sessions")
    hours = len(expected_hours())
    ready = "symbol = 'BTC-USDT'"
    until(lambda: stage.count("moving_average_1h_10m", ready) == hours, "all hours")
    moved, large = (f"rule_id = '{rule}'" for rule in ("price_move", "large_trade"))
    until(lambda: stage.count("alerts", moved) == 20, "alerts of moves")
    twice = f"{large} AND count = 2 AND subject LIKE '%BTC-USDT'"
    until(lambda: stage.count("alerts", twice) == 20, "alerts of large trades")
    tables = {name: stage.query(f"SELECT * FROM {NAME}.{name}") for name in TABLES}
    names = {name: f"analytics.{name}" for name in TABLES} | {"alerts": "alerts"}
    topics = {name: stage.read(names[name]) for name in TABLES}
    late = stage.read("market.late-events")
    restarts = {name: restarted(stage.cluster, identity) for name, identity in jobs.items()}
    recomputed = recompute(stage)
    corrected = stage.query(f"SELECT * FROM {NAME}.bars_1m WHERE symbol = 'BTC-USDT'")
    keys = sorted({key for key, _ in stage.records("analytics.bars_1m")})
    backtest = stage.flink(
        *("rules", "backtest", "price_move", "--threshold", "3", "--from", SPRING.isoformat()),
    )
    trend = python_functions(stage)
    first = AUTUMN.replace(minute=31)
    edited = edit(stage, folder, jobs["bars"], first)
    truth = (recomputed, corrected, keys, backtest, trend)
    return Run(tables, topics, late, jobs, restarts, *truth, edited, first)


def recompute(stage: Trades) -> str:
    """Spoil a row, then compute the hour again in which the late row was lost."""
    with stage.connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {NAME}.bars_1m SET volume = 42 "
            "WHERE exchange = 'binance' AND symbol = 'BTC-USDT' AND window_start = %s",
            (SPRING,),
        )
    ends = ("--from", SPRING.isoformat(), "--to", (SPRING + timedelta(hours=1)).isoformat())
    return stage.flink("recompute", "bars_1m", *ends)


def python_functions(stage: Trades) -> list[Row]:
    """An indicator in Python over all bars, as a job that ends."""
    model = str(ROOT / "sql/indicators/trend_1m.sql")
    submit(stage.settings, ["--job", model, "--set", "BOUNDED=latest-offset"])
    name = f"{stage.prefix}trend_1m"
    until(
        lambda: [j["state"] for j in stage.cluster.jobs() if j["name"] == name] == ["FINISHED"],
        "the job with Python functions",
    )
    return stage.query(f"SELECT * FROM {NAME}.trend_1m WHERE symbol = 'BTC-USDT'")


def restarted(cluster: Cluster, identity: str) -> int:
    """How often a running job has failed; the job must be RUNNING."""
    assert cluster.get(f"/jobs/{identity}")["state"] == "RUNNING"
    return len(cluster.get(f"/jobs/{identity}/exceptions")["exceptionHistory"]["entries"])


def edit(stage: Trades, folder: Path, job: str, first: datetime) -> list[Row]:
    """Correct a row, give the model a column more, submit its file from `first` on."""
    stage.cluster.cancel(job)
    with stage.connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {NAME}.bars_1m SET revision = 1, volume = 42 "
            "WHERE exchange = 'binance' AND window_start = %s",
            (first,),
        )
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql)
    model = sql / "windows/bars_1m.sql"
    text = model.read_text().replace(
        "    COUNT(*)", "    MAX(price) - MIN(price) AS price_range,\n    COUNT(*)"
    )
    model.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKET_STREAMS_SQL", str(sql))
        submit(stage.settings, ["--job", str(model), "--from", first.isoformat()])
    until(lambda: stage.count("bars_1m", "price_range IS NOT NULL") >= 5, "the new column")
    return stage.query(f"SELECT * FROM {NAME}.bars_1m WHERE symbol = 'BTC-USDT'")


def expected_hours() -> set[tuple[str, datetime]]:
    """(venue, start) of each hour, every ten minutes, in which a trade was made."""
    found = set()
    for row in market():
        slot = row["ts_event"] // 600_000_000 * 600
        for back in range(6):
            found.add((row["exchange"], datetime.fromtimestamp(slot - back * 600, UTC)))
    return found


def plain(row: Row) -> tuple[tuple[str, str], ...]:
    """A row as comparable text: exact numbers, instants in UTC."""
    shown = []
    for name, value in sorted(row.items()):
        if isinstance(value, datetime):
            value = value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
        elif isinstance(value, str) and name.endswith(("_start", "_end", "_at", "_time")):
            value = datetime.fromisoformat(value).isoformat(timespec="milliseconds")
        elif isinstance(value, Decimal | int):
            value = f"{Decimal(value).normalize():f}"
        shown.append((name, str(value)))
    return tuple(shown)


@pytest.mark.parametrize("table", TABLES)
def test_topic_and_table_hold_the_same_rows(run: Run, table: str) -> None:
    """Every row is in PostgreSQL and in the topic, with the same values to the last digit."""
    key = KEYS.get(table, WINDOW_KEY)
    newest = {tuple(row[name] for name in key): row for row in run.topics[table]}
    assert sorted(map(plain, newest.values())) == sorted(map(plain, run.tables[table]))
    assert run.tables[table]
    assert {row["revision"] for row in run.tables[table]} == {0}


def test_windows_keep_utc_through_both_clock_changes(run: Run) -> None:
    """02:30 on the day without 02:30, and 01:30 on the day with two, are windows of their own."""
    expected = {
        (venue, datetime.fromtimestamp(start.timestamp() + minute * 60, UTC))
        for venue in VENUES
        for start in (SPRING, AUTUMN)
        for minute in MINUTES
    }
    bars = [row for row in run.tables["bars_1m"] if row["symbol"] == "BTC-USDT"]
    assert {(row["exchange"], row["window_start"].astimezone(UTC)) for row in bars} == expected
    hours = [r for r in run.tables["moving_average_1h_10m"] if r["symbol"] == "BTC-USDT"]
    found = {(row["exchange"], row["window_start"].astimezone(UTC)) for row in hours}
    assert found == expected_hours()


def test_bars_are_exact_and_in_event_order(run: Run) -> None:
    """Open and close are those of the first and last instant; sums and quotients are exact."""
    bar = next(
        row
        for row in run.tables["bars_1m"]
        if row["exchange"] == "coinbase" and row["window_start"].astimezone(UTC) == AUTUMN
    )
    prices = [Decimal(f"{60_000 + second * 700}.1234567891") for second in (3, 1, 2)]
    sizes = [Decimal(f"{place}.00000001") for place in (1, 2, 3)]
    notional = sum(price * size for price, size in zip(prices, sizes, strict=True))
    assert (bar["open"], bar["close"]) == (prices[1], prices[0])
    assert (bar["high"], bar["low"]) == (max(prices), min(prices))
    assert (bar["volume"], bar["notional"]) == (sum(sizes), notional)
    assert (bar["buy_volume"], bar["sell_volume"]) == (sizes[0] + sizes[2], sizes[1])
    assert bar["vwap"] == (notional / sum(sizes)).quantize(Decimal("1E-10"))


def test_impossible_times_stop_no_job(run: Run) -> None:
    """NULL, 0, negative, far ahead and out of range: no failure, and the time goes on."""
    assert run.restarts == {"bars": 0, "alerts": 0}
    odd = {row["symbol"] for row in run.tables["bars_1m"]} | {
        row["symbol"] for row in run.late if row["model"] == "bars_1m"
    }
    assert odd >= {values["symbol"] for values in ODD}


def test_late_pairs_are_told(run: Run) -> None:
    """A late row is told for the minute it missed, and for each hour that had closed."""
    told = [row for row in run.late if row["row"]["trade_id"] == "999"]
    minute = datetime.fromtimestamp(LATE / 1e6, UTC).replace(tzinfo=None).isoformat()
    bars = [row for row in told if row["model"] == "bars_1m"]
    assert [(row["exchange"], row["symbol"], row["window_start"]) for row in bars] == [
        ("binance", "BTC-USDT", minute)
    ]
    assert bars[0]["row"]["price"] == Decimal("60000.1")
    hours = [row for row in told if row["model"] == "moving_average_1h_10m"]
    counted = next(
        row["trade_count"]
        for row in run.tables["moving_average_1h_10m"]
        if (row["exchange"], row["symbol"]) == ("binance", "BTC-USDT")
        and row["window_start"].astimezone(UTC) == SPRING.replace(minute=20)
    )
    assert not hours, "no hour had closed"
    assert counted == 3 * 3 + 1


def test_alerts_of_all_rules_share_a_table(run: Run) -> None:
    """A price move a minute; two large trades within the cool-down are one alert that counts."""
    rules = [row["rule_id"] for row in run.tables["alerts"] if row["rule_id"] != "bad_tick"]
    assert rules.count("price_move") == 20
    large = [row for row in run.tables["alerts"] if row["rule_id"] == "large_trade"]
    assert [row["count"] for row in large if row["subject"].endswith("BTC-USDT")] == [2] * 20


def test_recompute_takes_the_late_row_in_and_corrects_what_differs(run: Run) -> None:
    """The lost minute is added, the spoilt one set right; both are revision 1, no other row is."""
    assert "bars_1m: 7 rows, 1 changed, 1 added, 0 taken back" in run.recomputed, run.recomputed
    raised = {
        row["window_start"].astimezone(UTC): row for row in run.corrected if row["revision"] == 1
    }
    assert sorted(raised) == [SPRING, SPRING + timedelta(minutes=1)]
    assert raised[SPRING + timedelta(minutes=1)]["trade_count"] == 1
    assert {row["revision"] for row in run.corrected} == {0, 1}
    (before,) = [
        row
        for row in run.tables["bars_1m"]
        if row["exchange"] == "binance"
        and row["symbol"] == "BTC-USDT"
        and row["window_start"].astimezone(UTC) == SPRING
    ]
    assert {**raised[SPRING], "revision": 0} == before


def test_a_correction_has_the_key_that_flink_wrote(run: Run) -> None:
    """The topic holds one key for each row: a correction replaces it."""
    btc = [key for key in run.keys if json.loads(key)["symbol"] == "BTC-USDT"]
    assert len(btc) == len(run.corrected) == 21


def test_a_backtest_counts_alerts_of_both_settings(run: Run) -> None:
    """With a higher threshold fewer minutes would have been told; the live rule is untouched."""
    as_set, changed = run.backtest.splitlines()[1:3]
    assert as_set.split()[:3] == ["as", "set", "20"]
    assert changed.split()[:2] == ["changed", "0"]


def test_python_functions_run_on_the_cluster(run: Run) -> None:
    """Each bar is handed to the Python worker with all bars before it, in their order."""
    for venue in VENUES:
        rows = [row for row in run.trend if row["exchange"] == venue]
        rows.sort(key=lambda row: row["window_start"])
        assert [row["bars"] for row in rows] == list(range(1, len(rows) + 1))
        assert len(rows) >= 10


def test_a_new_column_is_added_to_the_table(run: Run) -> None:
    """The edited model extends its table and fills the column from the wanted start on."""
    filled = {row["window_start"] for row in run.edited if row["price_range"] is not None}
    assert min(filled).astimezone(UTC) == run.first
    older = [row for row in run.edited if row["window_start"] < run.first]
    assert older
    assert all(row["price_range"] is None for row in older)


def test_a_replay_leaves_corrected_rows_alone(run: Run) -> None:
    """A row of revision 1 survives a job that writes revision 0."""
    (row,) = [
        row
        for row in run.edited
        if row["exchange"] == "binance" and row["window_start"].astimezone(UTC) == run.first
    ]
    assert (row["revision"], row["volume"], row["price_range"]) == (1, 42, None)
