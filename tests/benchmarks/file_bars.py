"""One-minute bars of a file on Flink's engine alone, compared with the DuckDB oracle's.

    python -m tests.benchmarks.file_bars --trades 5000000

The model bars_1m over two files of JSON lines, one for each venue as a topic has partitions, to a
file of bars. Counted is the run phase: from the moment when all tasks run to the end. Every bar
must equal the oracle's. Runs on a stack of its own.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from flink_jobs.cluster import Cluster
from flink_jobs.settings import ROOT, Settings
from tests.benchmarks.bars import run_seconds
from tests.benchmarks.models import HOUR_US, START, SYMBOLS, VENUES, trade
from tests.integration.conftest import market_stack

COLUMNS = (
    *("exchange", "symbol", "window_start", "window_end", "open", "high", "low", "close"),
    *("volume", "notional", "vwap", "trade_count", "buy_volume", "sell_volume"),
)
EXPECTED = """
SELECT exchange, symbol, ts_event // 60000000 * 60000 AS window_start,
    arg_min(price, (ts_event, trade_seq)), max(price), min(price),
    arg_max(price, (ts_event, trade_seq)), sum(size), sum(price * size), count(*),
    coalesce(sum(size) FILTER (WHERE side = 'buy'), 0),
    coalesce(sum(size) FILTER (WHERE side = 'sell'), 0)
FROM (SELECT exchange, symbol, ts_event, trade_seq, side,
    price::DECIMAL(19, 10) AS price, size::DECIMAL(18, 8) AS size
    FROM read_json(?, format = 'newline_delimited', columns = {exchange: 'VARCHAR',
        symbol: 'VARCHAR', ts_event: 'BIGINT', trade_seq: 'BIGINT', side: 'VARCHAR',
        price: 'VARCHAR', size: 'VARCHAR'}))
GROUP BY ALL
"""


def write(folder: Path, trades: int) -> None:
    """Two hours of trades, a fifth of them up to two seconds out of order."""
    files = [(folder / f"{venue}.json").open("w") for venue in VENUES]
    for number in range(trades):
        place = number & 1
        mixed = number * 40_503 & 0xFFFF
        moved = mixed * 30 if mixed % 5 == 0 else 0
        at = START + number * 2 * HOUR_US // trades - moved
        head = {
            **{"exchange": VENUES[place], "symbol": SYMBOLS[(number >> 1) % len(SYMBOLS)]},
            **{"ts_event": at, "ts_recv": at + 1500},
        }
        files[place].write(json.dumps(trade(number, head)) + "\n")
    for file in files:
        file.close()


def script(folder: Path, environment: dict[str, str]) -> str:
    """What `render` prints, with files instead of topics."""
    python = Settings().flink_python
    sql = folder / "sql"
    shutil.copytree(ROOT / "sql", sql)
    model = sql / "windows/bars_1m.sql"
    model.write_text(model.read_text().replace("kafka, postgres", "kafka-append"))
    with (sql / "jobs.toml").open("a") as jobs:
        jobs.write('\n[jobs.file]\nmodels = ["windows/bars_1m"]\nparallelism = 2\n')
    environment = {**environment, "MARKET_STREAMS_SQL": str(sql)}
    words = [str(python), "-m", "flink_jobs", "render", "file"]
    done = subprocess.run(
        words, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    parts = done.stdout.split("WITH (")
    options = f"'connector' = 'filesystem', 'path' = '{folder.as_uri()}/{{}}', 'format' = '{{}}'"
    where = {"market.trades": ("in", "json"), "analytics.bars_1m": ("out", "csv")}
    for index, part in enumerate(parts[1:], 1):
        inside, end, rest = part.partition("\n);") if "\n);" in part else part.partition(");")
        for topic, (place, form) in where.items():
            if topic in inside:
                parts[index] = options.format(place, form) + end + rest
    return "WITH (".join(parts)


def bars(folder: Path) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    """Flink's bars."""
    found = {}
    for path in (folder / "out").rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            for row in csv.reader(path.open()):
                cells = dict(zip(COLUMNS, row, strict=False))
                moment = datetime.fromisoformat(cells["window_start"]).replace(tzinfo=UTC)
                key = (cells["exchange"], cells["symbol"], round(moment.timestamp() * 1000))
                numbers = ("open", "high", "low", "close", "volume", "notional", "trade_count")
                more = ("buy_volume", "sell_volume")
                found[key] = tuple(Decimal(cells[name]) for name in (*numbers, *more))
    return found


def expected(folder: Path) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    """The oracle's bars."""
    rows = duckdb.execute(EXPECTED, [str(folder / "in/*.json")]).fetchall()
    return {row[:3]: tuple(Decimal(cell) for cell in row[3:]) for row in rows}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.file_bars", description=__doc__
    )
    parser.add_argument("--trades", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with TemporaryDirectory() as name, market_stack() as stack:
        folder = Path(name)
        (folder / "in").mkdir()
        write(folder / "in", options.trades)
        environment = {**os.environ, **Settings().flink_environment()}
        file = folder / "script.sql"
        file.write_text(script(folder, environment))
        client = Path(environment["FLINK_HOME"]) / "bin/sql-client.sh"
        for _ in range(options.rounds):
            shutil.rmtree(folder / "out", ignore_errors=True)
            done = subprocess.run(
                [str(client), "-f", str(file)],
                cwd=ROOT,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
            identity = next(
                line.split()[-1] for line in done.stdout.splitlines() if line.startswith("Job ID:")
            )
            seconds = run_seconds(Cluster(stack.flink_rest), identity)
            print(f"{options.trades / seconds:,.0f} events/s ({seconds:.1f} s)", flush=True)
        ours, wanted = bars(folder), expected(folder)
        different = sum(ours.get(key) != row for key, row in wanted.items())
        print(f"{len(wanted):,} bars of the oracle, {len(ours):,} of Flink, {different} different")


if __name__ == "__main__":
    main()
