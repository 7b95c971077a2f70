"""Edits of a running job, on the real cluster: each leaves the rows that the SELECT as it is now
gives for all that was ever traded, be it by going on or by computing anew.

Trades come in pieces that end in mid-minute, so that every edit falls into open windows.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from flink_jobs.settings import ROOT
from tests.integration.job_stage import Row, Trades, heartbeat, record, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
START = 1_772_000_100_000_000
"""A whole five minutes, in µs."""
MINUTE = 60_000_000
PIECE = 150
"""Seconds of trading between two edits."""
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
BARS = "windows/bars_1m.sql"
Wanted = Callable[[list[Row]], Row]


class Editor(Trades):
    """A stage with a SQL folder of its own, whose job `bars` holds one model."""

    def __init__(self, stack: Any, patch: pytest.MonkeyPatch, name: str, folder: Path) -> None:
        self.folder = folder / "sql"
        shutil.copytree(ROOT / "sql", self.folder)
        super().__init__(stack, patch, name, MARKET_STREAMS_SQL=str(self.folder))
        self.models("windows/bars_1m")
        self.traded: list[Row] = []
        self.random = random.Random(name)
        admin = AdminClient({"bootstrap.servers": stack.bootstrap})
        topic = NewTopic(f"{self.prefix}market.trades", 1, 1, config={"retention.ms": "-1"})
        admin.create_topics([topic])[topic.topic].result()

    def models(self, *names: str) -> None:
        """Let the job be made of these models."""
        path = self.folder / "jobs.toml"
        before, _, rest = path.read_text().partition("[jobs.bars]\n")
        listed = ", ".join(f'"{name}"' for name in names)
        _, _, after = rest.partition("parallelism = ")
        text = f"{before}[jobs.bars]\nmodels = [{listed}]\nparallelism = 1{after[1:]}"
        path.write_text(text)

    def edit(self, old: str, new: str) -> None:
        """Replace a piece of the model."""
        path = self.folder / BARS
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def trade(self) -> None:
        """Two and a half minutes more, three symbols, out of order by up to two seconds."""
        number = len(self.traded)
        begin = START + number // (len(SYMBOLS) * PIECE) * PIECE * 1_000_000
        rows = []
        for second in range(PIECE):
            for symbol in SYMBOLS:
                number += 1
                at = begin + second * 1_000_000 + self.random.randrange(1_000_000)
                price = f"{self.random.randrange(900, 1100)}.{self.random.randrange(10**8):08}"
                size = f"0.{self.random.randrange(1, 10**8):08}"
                side = self.random.choice(("buy", "sell"))
                values = {"symbol": symbol, "price": price, "size": size, "side": side}
                rows.append(record("binance", at, number, **values))
        self.traded += rows
        mixed = sorted(rows, key=lambda row: row["ts_event"] + self.random.randrange(2_000_000))
        self.write(mixed)

    def submit(self, *words: str) -> str:
        """What `submit` says."""
        return self.flink("submit", "bars", *words)

    def expected(self, wanted: Wanted, minutes: int = 1, side: str = "") -> dict[Any, Row]:
        """Rows by symbol and start in ms, of all windows that have closed, by plain Python."""
        length = minutes * MINUTE
        last = max(row["ts_event"] for row in self.traded) // 1000 * 1000
        groups: dict[Any, list[Row]] = {}
        for row in self.traded:
            start = row["ts_event"] // length * length
            if start + length <= last - 5_000_000 and row["side"].startswith(side):
                groups.setdefault((row["symbol"], start // 1000), []).append(row)
        return {key: wanted(rows) for key, rows in groups.items()}

    def await_rows(self, table: str, expected: dict[Any, Row], where: str = "true") -> None:
        """Wait until the table holds the expected values, and nothing besides."""
        names = list(next(iter(expected.values())))

        def found() -> dict[Any, Row]:
            return {
                (row["symbol"], row["window_start"]): {name: row.get(name) for name in names}
                for row in self.rows(f"{table} WHERE {where}")
            }

        try:
            until(lambda: found() == expected, f"{table} as expected", 60)
        except AssertionError:
            assert found() == expected
            raise


def bar(rows: list[Row]) -> Row:
    """Some columns of a bar."""
    ordered = sorted(rows, key=lambda row: (row["ts_event"], row["trade_seq"]))
    prices = [Decimal(row["price"]) for row in ordered]
    return {
        "open": prices[0],
        "close": prices[-1],
        "high": max(prices),
        "low": min(prices),
        "volume": sum(Decimal(row["size"]) for row in rows),
        "trade_count": len(rows),
    }


def low_for_high(rows: list[Row]) -> Row:
    """The same, of the model with MIN for MAX."""
    return {**bar(rows), "high": bar(rows)["low"]}


@pytest.fixture
def editor(
    stack: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Editor]]:
    """Makes a stage with one piece traded and the job running; all is ended afterwards."""
    made: list[Editor] = []
    with pytest.MonkeyPatch.context() as patch:

        def make(name: str) -> Editor:
            made.append(Editor(stack, patch, name, tmp_path))
            made[0].trade()
            made[0].submit()
            made[0].await_rows("bars_1m", made[0].expected(bar))
            return made[0]

        yield make
        for each in made:
            each.end()


def test_the_same_plan_goes_on_and_another_is_computed_anew(
    editor: Callable[[str], Editor],
) -> None:
    """The open minute is whole after the first; every minute is corrected after the second."""
    stage = editor("edits_short")
    stage.edit("    COUNT(*) AS trade_count", "    -- all of them\n    COUNT(*) AS trade_count")
    assert "its plan is the same" in stage.submit()
    (running,) = stage.cluster.running(f"{stage.prefix}bars")
    restored = stage.cluster.get(f"/jobs/{running}/checkpoints")["latest"]["restored"]
    assert "savepoint" in restored["external_path"]
    stage.trade()
    stage.await_rows("bars_1m", stage.expected(bar))

    stage.edit("MAX(price) AS high", "MIN(price) AS high")
    assert "bars_1m: its plan has changed" in stage.submit()
    stage.trade()
    stage.await_rows("bars_1m", stage.expected(low_for_high))


@pytest.mark.long
def test_every_edit_leaves_the_rows_of_the_select_as_it_is_now(
    editor: Callable[[str], Editor],
) -> None:
    """A column more, another model beside it, a condition, longer windows, and the way back."""
    stage = editor("edits_long")

    stage.edit("How did each symbol trade", "How was each symbol traded")
    assert "unchanged" in stage.submit()
    stage.edit("COUNT(*) AS trade_count", "MAX(size) AS largest,\n    COUNT(*) AS trade_count")
    running = stage.cluster.running(f"{stage.prefix}bars")
    assert "bars_1m: its plan has changed" in stage.submit("--dry-run")
    assert stage.cluster.running(f"{stage.prefix}bars") == running, "nothing was touched"
    assert "computed anew" in stage.submit()
    stage.trade()

    def largest(rows: list[Row]) -> Row:
        return {**bar(rows), "largest": max(Decimal(row["size"]) for row in rows)}

    stage.await_rows("bars_1m", stage.expected(largest))

    stage.models("windows/bars_1m", "windows/bars_5m")
    assert "bars_5m: is new" in stage.submit()
    stage.trade()
    stage.await_rows("bars_1m", stage.expected(largest))
    stage.await_rows("bars_5m", stage.expected(bar, minutes=5))

    stage.models("windows/bars_1m")
    assert "bars_5m: is gone" in stage.submit()
    stage.edit("GROUP BY exchange", "WHERE side = 'buy'\nGROUP BY exchange")
    assert "computed anew" in stage.submit()
    stage.trade()
    stage.await_rows("bars_1m", stage.expected(bar, side="buy"))

    stage.edit("INTERVAL '1' MINUTE", "INTERVAL '5' MINUTE")
    assert "computed anew" in stage.submit()
    stage.trade()
    five = "window_end - window_start = INTERVAL '5 min'"
    stage.await_rows("bars_1m", stage.expected(bar, minutes=5, side="buy"), five)

    assert "bars_1m: its plan has changed" in stage.flink("rollback", "bars", "--dry-run")
    assert "computed anew" in stage.flink("rollback", "bars")
    stage.trade()
    stage.await_rows("bars_1m", stage.expected(bar, side="buy"))
    assert "'5' MINUTE" in (stage.folder / BARS).read_text(), "files are the analyst's"


@pytest.mark.long
def test_a_stopped_job_goes_on_and_a_cancelled_one_starts_anew(
    editor: Callable[[str], Editor],
) -> None:
    """What came while it was stopped is caught up; the cluster's stop is one such stop."""
    stage = editor("edits_stops")
    assert "STOPPED" in stage.flink("stop", "bars")
    stage.trade()
    assert "nothing to resume" in stage.flink("resume"), "it was stopped by hand"
    assert "goes on" in stage.submit()
    stage.await_rows("bars_1m", stage.expected(bar))

    assert "STOPPED" in stage.flink("suspend")
    stage.edit("MAX(price) AS high", "MIN(price) AS high")
    stage.trade()
    assert "goes on" in stage.flink("resume"), "a half-edited file is not taken up"
    stage.await_rows("bars_1m", stage.expected(bar))
    assert "nothing to resume" in stage.flink("resume")

    stage.flink("cancel", "bars")
    assert "nothing to resume" in stage.flink("resume")
    assert "starts anew" in stage.submit()
    stage.trade()
    stage.write([heartbeat("binance", stage.traded[-1]["ts_event"])])
    stage.await_rows("bars_1m", stage.expected(low_for_high))
