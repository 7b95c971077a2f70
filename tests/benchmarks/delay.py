"""How long a result takes: a window's end to its row in PostgreSQL, a frame to its alert.

    python -m tests.benchmarks.delay            # a minute each

- ``window``: bars_1m with windows of one second, so that there are enough of them: from the end
  of the window to the row in PostgreSQL, less WATERMARK_DELAY. Twenty markets, 200 trades/s.
- ``alert``: large_trade at 2,000 trades/s: from the frame's receipt at the socket (`ts_recv`) to
  the record of the alert at a reader of the topic. The exchange, the connector, Kafka and Flink
  are real and share this machine.

Runs on a stack of its own.
"""

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2
from confluent_kafka import Consumer, Producer

from flink_jobs import rules
from flink_jobs.catalog import Catalog
from flink_jobs.cluster import Cluster
from flink_jobs.settings import ROOT, Settings
from flink_jobs.submit import submit
from tests.benchmarks.models import SYMBOLS, VENUES, make_topics, trade
from tests.integration.conftest import RunningStack, market_stack
from tests.integration.market import running_market

PREFIX = "bench."
SCHEMA = "bench"
MARKETS = 20
RATE = 200


def told(name: str, seconds: Sequence[float]) -> None:
    """One line: median, p99 and highest in ms."""
    cuts = statistics.quantiles(seconds, n=100)
    print(
        f"{name}: p50 {cuts[49] * 1000:,.0f} ms, p99 {cuts[98] * 1000:,.0f} ms, "
        f"highest {max(seconds) * 1000:,.0f} ms, {len(seconds):,} of them",
        flush=True,
    )


def windows(stack: RunningStack, seconds: float) -> list[float]:
    """Delays of rows of one-second windows behind their end and the watermark's delay."""
    make_topics(stack.bootstrap, ["market.trades"])
    producer = Producer({"bootstrap.servers": stack.bootstrap, "linger.ms": 1})
    with TemporaryDirectory() as folder:
        sql = Path(folder) / "sql"
        shutil.copytree(ROOT / "sql", sql)
        model = sql / "windows/bars_1m.sql"
        model.write_text(model.read_text().replace("INTERVAL '1' MINUTE", "INTERVAL '1' SECOND"))
        os.environ["MARKET_STREAMS_SQL"] = str(sql)
        words = ["--job", str(model), "--set", f"TOPIC_PREFIX={PREFIX}"]
        identity = submit(
            Settings(), [*words, "--set", f"ANALYTICS_SCHEMA={SCHEMA}", "--from", "latest"]
        )[str(model)]
        del os.environ["MARKET_STREAMS_SQL"]
    connection = psycopg2.connect(stack.database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE {SCHEMA}.bars_1m ADD arrived timestamptz DEFAULT clock_timestamp()"
        )
        trades_for(producer, seconds)
        cursor.execute(
            f"SELECT extract(epoch FROM arrived - window_end) FROM {SCHEMA}.bars_1m "
            f"WHERE window_start > (SELECT min(window_start) FROM {SCHEMA}.bars_1m) "
            "+ interval '5 s'"
        )
        delay = float(Catalog.load(ROOT / "sql", {}).variables["WATERMARK_DELAY"])
        found = [float(row[0]) - delay for row in cursor.fetchall()]
    connection.close()
    Cluster(Settings().flink_rest_url).cancel(identity)
    return found


def trades_for(producer: Producer, seconds: float) -> None:
    """Trades of now, evenly, of both venues, each into the partition of its writer."""
    began = time.monotonic()
    number = 0
    while (passed := time.monotonic() - began) < seconds:
        while number < passed * RATE:
            at = time.time_ns() // 1000
            place = number & 1
            head = {
                **{"exchange": VENUES[place], "symbol": SYMBOLS[number % MARKETS], "ts_event": at},
                **{"ts_recv": at, "source": "bench", "schema_version": 1},
            }
            value = json.dumps(trade(number, head))
            topic = f"{PREFIX}market.trades"
            producer.produce(topic, value, partition=place, timestamp=at // 1000)
            number += 1
        producer.poll(0.002)
    producer.flush()
    time.sleep(10)


def alerts(stack: RunningStack, seconds: float, rate: int) -> list[float]:
    """Seconds from a trade's receipt at the socket to its alert at a reader of the topic."""
    with running_market(
        stack,
        "alerted",
        {"--speed": 1, "--since": "0s"},
        symbols=MARKETS,
        rate=rate / MARKETS,
        venues=("binance",),
    ) as market:
        catalog = Catalog.load(
            ROOT / "sql", {"ANALYTICS_SCHEMA": market.name, "DATABASE_URL": stack.database_url}
        )
        rules.change(catalog, "large_trade", "*", rules.Change("1", cool_down=1), "benchmark")
        market.submit("alerts")
        consumer = Consumer(
            {
                **{"bootstrap.servers": stack.bootstrap, "group.id": "delay"},
                **{"auto.offset.reset": "latest", "fetch.wait.max.ms": 1},
            }
        )
        consumer.subscribe([f"{market.name}.alerts", f"{market.name}.market.trades"])
        received: dict[tuple[str, str], int] = {}
        seen: dict[tuple[str, str], float] = {}
        deadline = time.monotonic() + seconds + 5
        while time.monotonic() < deadline:
            message = consumer.poll(0.1)
            now = time.time()
            if message is None or message.error():
                continue
            row = json.loads(message.value() or b"{}")
            if row.get("event_type") == "trade":
                received[row["symbol"], row["trade_id"]] = row["ts_recv"]
            elif row.get("rule_id") == "large_trade" and row["count"] == 1:
                detail = json.loads(row["detail"])
                seen[detail["symbol"], detail["trade_id"]] = now
        consumer.close()
    found = [(at, at - received[key] / 1e6) for key, at in seen.items() if key in received]
    start = min(at for at, _ in found) + 5
    return [delay for at, delay in found if at > start]


def main() -> None:
    """Print two lines."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.delay", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=2000, help="trades a second of the alerts")
    options = parser.parse_args()
    with market_stack() as stack:
        told("window end to PostgreSQL, less the delay", windows(stack, options.seconds))
        told("frame to alert", alerts(stack, options.seconds, options.rate))


if __name__ == "__main__":
    main()
