"""Every command of the pages, typed in a checkout of its own on the real stack.

The names are those of the pages: what the demo would have written stands in `demo.` topics, where
the test does not run the demo itself.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from docker.demo.reset import reset
from tests.docs.follow import Reader, Watching, rows_of
from tests.integration.conftest import RunningStack, free_ports

pytestmark = pytest.mark.integration
PREFIX, SCHEMA = "demo.", "demo"
START = 1_771_999_200_000_000
"""2026-02-25 06:00 UTC, in microseconds."""
SECOND = 1_000_000
DEMO_PORTS = ("CONTROL", "BINANCE", "COINBASE", "BINANCE_METRICS", "COINBASE_METRICS")


@pytest.fixture
def demo(stack: RunningStack) -> Iterator[RunningStack]:
    """The stack with nothing of the demo in it, before and after."""
    reset(stack.settings, PREFIX, SCHEMA)
    yield stack
    reset(stack.settings, PREFIX, SCHEMA)


def trade(number: int, at: int, **values: object) -> dict[str, Any]:
    """A trade as a connector publishes it, so many seconds after START."""
    moment = START + at * SECOND
    return {
        "event_type": "trade",
        "exchange": "binance",
        "symbol": "BTC-USDT",
        "ts_event": moment,
        "ts_recv": moment + 1500,
        "trade_id": str(number),
        "trade_seq": number,
        "price": f"{60_000 + number}.5",
        "size": "0.5",
        "side": "buy",
        **values,
    }


def beat(at: int) -> dict[str, Any]:
    """What moves the time on."""
    return trade(0, at, event_type="heartbeat", symbol="*", price=None)


def publish(stack: RunningStack, rows: list[dict[str, Any]]) -> None:
    """Write rows into the topic of trades, with their event time."""
    producer = Producer({"bootstrap.servers": stack.bootstrap})
    for row in rows:
        value = json.dumps(row).encode()
        producer.produce(f"{PREFIX}market.trades", value, timestamp=row["ts_event"] // 1000)
    assert producer.flush(30) == 0


def open_market(stack: RunningStack) -> None:
    """The topic of trades, with two a second for two minutes."""
    topic = NewTopic(f"{PREFIX}market.trades", 1, 1, config={"retention.ms": "-1"})
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    admin.create_topics([topic])[topic.topic].result()
    publish(stack, [*(trade(number, number // 2) for number in range(240)), beat(130)])


def write_and_test(reader: Reader, folder: Path) -> None:
    """Save model and case; watch them, make the page's mistake, mend it."""
    reader.save()
    model = reader.folder / "sql/windows/trades_10s.sql"
    good, bad = reader.outputs("watch")
    watching = Watching(reader, "watch", folder / "watch.txt")
    try:
        watching.wait(good)
        right = model.read_text()
        model.write_text(right.replace("MAX(price)", "MIN(price)"))
        watching.wait(bad)
        model.write_text(right)
    finally:
        status = watching.end()
    assert status == 130
    assert "Traceback" not in watching.output.read_text()


def run_it(reader: Reader) -> list[Any]:
    """Name the model in a job, submit it, and see its rows."""
    reader.type("job")
    reader.type("submit")
    return rows_of(reader.until("rows", lambda said: "(5 rows)" in said))


@pytest.mark.long
def test_the_first_window_comes_out_as_its_page_says(demo: RunningStack, tmp_path: Path) -> None:
    """From the SELECT to its rows in PostgreSQL, word for word."""
    open_market(demo)
    reader = Reader(tmp_path, demo, "first-window.md")
    assert "windows/bars_1m: How did each symbol trade" in reader.type("list")
    write_and_test(reader, tmp_path)
    rows = run_it(reader)
    # Ten seconds hold twenty trades of 0.5 each, and the newest window is that of 110 s to 120 s.
    newest = rows[0]
    assert ":01:50" in newest["window_start"]
    assert (newest["trade_count"], newest["volume"]) == ("20", "10.00000000")
    assert newest["high"] == "60239.5000000000"
    reader.type("cancel")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_first_window_beside_the_demo(demo: RunningStack, tmp_path: Path) -> None:
    """The whole page, with `make demo` in a terminal of its own and `make check-sql`."""
    reader = Reader(tmp_path, demo, "first-window.md")
    names = zip(DEMO_PORTS, free_ports(len(DEMO_PORTS)), strict=True)
    ports = {f"DEMO_{name}_PORT": str(port) for name, port in names}
    terminal = Watching(reader, "demo", tmp_path / "demo.txt", **ports)
    try:
        terminal.wait("bars  ", 120)
        write_and_test(reader, tmp_path)
        rows = run_it(reader)
        assert {row["exchange"] for row in rows} <= {"binance", "coinbase"}
        newest = rows[0]["window_start"]
        reader.until("rows", lambda said: rows_of(said)[0]["window_start"] > newest)
        assert "0 failed" in reader.type("check")
        reader.type("cancel")
    finally:
        terminal.end(150)
    # Outside a terminal Ctrl-C meets `make` too, whose status then hides the demo's.
    said = terminal.output.read_text()
    assert "windows compared with the oracle, differences: 0" in said, said


@pytest.mark.long
@pytest.mark.timeout(900)
def test_late_rows_are_seen_and_taken_in(demo: RunningStack, tmp_path: Path) -> None:
    """The pages on late data and on runs that end: told, taken in by patience, corrected, ended."""
    open_market(demo)
    reader = Reader(tmp_path, demo, "late-data.md")
    reader.run("python -m flink_jobs submit bars")
    reader.until_rows("SELECT trade_count FROM demo.bars_1m", lambda rows: len(rows) == 2)
    publish(demo, [trade(999, 30)])
    assert '"trade_id":"999"' in reader.until("late-rows", lambda said: '"999"' in said)
    assert "bars_1m: 2 rows, 1 changed, 0 added, 0 taken back" in reader.type("recompute")
    page = Reader(tmp_path / "proven", demo, "stream-or-batch.md")
    assert page.type("prove").splitlines()[1].split() == ["bars_1m", "2", "0", "0", "0", "1"]
    # Who waits ten minutes closes a window when time has come ten minutes further.
    publish(demo, [beat(900)])
    reader.type("longer")
    first = "SELECT trade_count FROM demo.bars_1m ORDER BY window_start LIMIT 1"
    reader.until_rows(first, lambda rows: rows[0]["trade_count"] == "121")
    reader.type("corrected")
    ended = Reader(tmp_path / "ended", demo, "stream-or-batch.md")
    ended.type("bounded")
    ended.until("finished", lambda said: "FINISHED   demo.bars" in said)
    bars = "SELECT volume, trade_count FROM demo.bars_1m ORDER BY window_start"
    rows = reader.until_rows(bars, lambda rows: len(rows) == 2)
    assert rows[0]["volume"] == "42.00000000", "the correction stayed"


@pytest.mark.long
def test_sinks_are_what_the_page_says(demo: RunningStack, tmp_path: Path) -> None:
    """Upserts, transactions, a time to start from, and payments as committed readers see them."""
    open_market(demo)
    Reader(tmp_path / "start", demo, "stream-or-batch.md").type("from")
    reader = Reader(tmp_path, demo, "delivery.md")
    reader.type("upsert")
    reader.type("exactly-once")
    reader.type("payments")
    said = reader.until("committed", lambda said: '"payment_id"' in said)
    time.sleep(3)  # a checkpoint more
    said = reader.type("committed")
    found = [line.split('"payment_id":')[1].split(",")[0] for line in said.splitlines()]
    assert len(found) == len(set(found)) > 10
    submit = "python -m flink_jobs submit sql/windows/bars_1m.sql"
    reader.run(submit)
    assert "runs already, unchanged" in reader.run(submit)
