"""Kafka stops and comes back: every trade exactly once, or inside a published gap."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from docker.local.kafka import Kafka
from tests.connectors.feed.running import Json, RunningFeed, running_feed, until
from tests.connectors.feed.scripted import DAY, ScriptedBinance
from tests.connectors.kafka.own_broker import address, own_broker

pytestmark = pytest.mark.integration

RATE = 2_000
STEP = 0.02
PRODUCERS = ["confluent", "kafka-python"]
DEFAULT_FIRST = ["confluent", pytest.param("kafka-python", marks=pytest.mark.long)]
"""The default client in `make test`, the other one in `make test-long`."""


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    """A broker of this test, to stop and start."""
    with own_broker() as broker:
        yield broker


class Market:
    """Sends ``rate`` trades a second, alternating between two symbols, until it is stopped."""

    def __init__(self, exchange: ScriptedBinance, rate: int) -> None:
        self.made = {"BTCUSDT": 0, "ETHUSDT": 0}
        self._exchange = exchange
        self._rate = rate
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        started, number = time.monotonic(), 0
        while True:
            wanted = int((time.monotonic() - started) * self._rate)
            frames = []
            while number < wanted:
                native = "BTCUSDT" if number % 2 else "ETHUSDT"
                self.made[native] += 1
                # Of this moment: a broker that restarts forgets the producers whose last record
                # is old by its own time, and with them what they have sent already.
                now = time.time_ns() // 1_000_000
                frames.append(self._exchange.trade(native, self.made[native], now))
                number += 1
            for socket in list(self._exchange.sockets):
                try:
                    async with asyncio.timeout(0.2):
                        for frame in frames:
                            await socket.send_str(frame)
                except (ConnectionError, TimeoutError):
                    # As venues do: a client that leaves too much unread is dropped.
                    if socket._req is not None and socket._req.transport is not None:
                        socket._req.transport.abort()
            await asyncio.sleep(STEP)

    async def stop(self) -> None:
        """Make no more trades."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def gap_ids(gaps: list[Json], recovered: list[Json], symbol: str, last: int) -> set[int]:
    """Ids inside published gaps; an open gap ends where a recovery says so."""
    ids: set[int] = set()
    ends = {r["from_id"]: r["to_id"] for r in recovered if r["symbol"] == symbol}
    for gap in gaps:
        if gap["symbol"] == symbol:
            end = gap["to_id"] or ends.get(gap["from_id"], last)
            ids.update(range(gap["from_id"], end + 1))
    return ids


async def check_all_once(feed: RunningFeed, market: Market, *, gaps_allowed: bool) -> int:
    """Every id made is in the log once or inside a gap; gives how many are missing."""
    gaps, recovered = feed.statuses("gap"), feed.statuses("recovered")
    trades = feed.trades()
    missing_all = 0
    for native, symbol in (("BTCUSDT", "BTC-USDT"), ("ETHUSDT", "ETH-USDT")):
        ids = [t["trade_seq"] for t in trades if t["symbol"] == symbol]
        last = market.made[native]
        doubled = [sequence for sequence, times in Counter(ids).items() if times > 1]
        assert doubled == [], "published twice"
        missing = set(range(1, last + 1)) - set(ids)
        missing_all += len(missing)
        assert missing <= gap_ids(gaps, recovered, symbol, last)
        assert gaps_allowed or not missing
    assert feed.left == 0 and feed.stats.delivery_errors == 0
    return missing_all


async def outage(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path, seconds: float, **settings: object
) -> tuple[RunningFeed, Market]:
    """Run the market while Kafka is away for ``seconds``, and 3 s before and after."""
    async with running_feed(exchange, address(kafka), tmp_path, **settings) as feed:
        await feed.live()
        market = Market(exchange, RATE)
        await until(lambda: feed.published > 3 * RATE, 30)
        await asyncio.to_thread(kafka.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(kafka.start)
        await until(lambda: feed.stats.connected == 1, 60, "live again")
        before = feed.published
        await until(lambda: feed.published > before + 3 * RATE, 60, "trades again")
        await market.stop()
        await until(
            lambda: (
                feed.feed.state is not None
                and all(
                    (s.tracker.last or 0) >= market.made[s.instrument.native_symbol]
                    and not s.tracker.untold()
                    for s in feed.feed.state.streams.values()
                )
            ),
            30,
            "the last trades",
        )
    return feed, market


@pytest.mark.timeout(150)
@pytest.mark.parametrize("producer", PRODUCERS)
async def test_an_outage_that_fits_the_buffer_loses_and_doubles_nothing(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path, producer: str
) -> None:
    """10 s at 2,000 events/s with the default buffer: the socket stays, no gap is told."""
    feed, market = await outage(exchange, kafka, tmp_path, 10, producer=producer)
    assert await check_all_once(feed, market, gaps_allowed=False) == 0
    assert feed.stats.reconnects == 0
    assert feed.statuses("gap") == []


@pytest.mark.timeout(150)
@pytest.mark.parametrize("producer", DEFAULT_FIRST)
async def test_an_outage_beyond_the_buffer_closes_the_socket_and_is_filled_by_rest(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path, producer: str
) -> None:
    """The gap names the first missing id, and ends when REST has brought all."""
    feed, market = await outage(
        exchange,
        kafka,
        tmp_path,
        8,
        producer=producer,
        buffer_records=6_000,
        buffer_patience=1.0,
        max_fill=200_000,  # a busy machine makes the outage longer than 20 s
    )
    assert await check_all_once(feed, market, gaps_allowed=False) == 0
    assert feed.stats.reconnects >= 1
    gaps = feed.statuses("gap")
    assert {gap["symbol"] for gap in gaps} == {"BTC-USDT", "ETH-USDT"}
    assert all(gap["from_id"] > 0 and "Kafka took nothing" in gap["cause"] for gap in gaps)
    assert {r["symbol"] for r in feed.statuses("recovered")} == {"BTC-USDT", "ETH-USDT"}


@pytest.mark.timeout(150)
async def test_what_an_outage_loses_for_good_lies_inside_published_gaps(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path
) -> None:
    """With a bounded fill some trades are missing, and each of them is told."""
    feed, market = await outage(
        exchange,
        kafka,
        tmp_path,
        8,
        buffer_records=6_000,
        buffer_patience=1.0,
        max_fill=1_000,
    )
    assert await check_all_once(feed, market, gaps_allowed=True) > 0


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_sixty_seconds_without_kafka_lose_nothing(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path
) -> None:
    """The default buffer holds a minute at 2,000 events/s."""
    feed, market = await outage(exchange, kafka, tmp_path, 60)
    assert await check_all_once(feed, market, gaps_allowed=False) == 0


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_three_minutes_without_kafka_are_told(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path
) -> None:
    """Beyond the buffer the socket is closed; what REST cannot bring is inside a gap."""
    feed, market = await outage(exchange, kafka, tmp_path, 180)
    await check_all_once(feed, market, gaps_allowed=True)
    assert feed.statuses("gap")


@pytest.mark.timeout(100)
async def test_quotes_are_conflated_while_kafka_is_away_and_trades_are_not(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path
) -> None:
    """Above a share of the buffer only the latest quote of a symbol is kept."""
    async with running_feed(
        exchange,
        address(kafka),
        tmp_path,
        channels="trades,quotes",
        symbols="BTC-USDT",
        buffer_records=1_000,
        conflate_above=0.3,
    ) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 1))
        await until(lambda: feed.published == 1 and feed.stats.depth_records == 0)
        await asyncio.to_thread(kafka.stop)
        await exchange.send(*exchange.make("BTCUSDT", range(2, 402)))
        state = feed.feed.state
        assert state is not None
        await until(lambda: state.publisher.congested)
        quote = (
            '{{"stream":"btcusdt@bookTicker","data":{{"u":{0},"s":"BTCUSDT","b":"1.00",'
            '"B":"31.21","a":"{0}.00","A":"40.66"}}}}'
        )
        await exchange.send(*(quote.format(number) for number in range(100, 1100)))
        await exchange.send(*exchange.make("BTCUSDT", range(402, 412)))
        await until(lambda: feed.stats.conflated == 999 and feed.published == 411)
        await asyncio.to_thread(kafka.start)
        await until(lambda: not state.publisher.congested, 30)
    assert feed.ids() == list(range(1, 412))
    quotes = [r.json for r in feed.read("quotes") if r.json["event_type"] == "quote"]
    assert [q["ask_price"] for q in quotes] == ["1099.00"]


@pytest.mark.timeout(100)
async def test_what_is_dropped_is_counted_and_comes_back_by_rest(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path
) -> None:
    """Dropped trades are holes that REST fills; a dropped book update resets its book."""
    policies = {f"backpressure_{name}": "drop_newest" for name in ("trades", "books")}
    async with running_feed(
        exchange,
        address(kafka),
        tmp_path,
        channels="trades,books",
        symbols="BTC-USDT",
        buffer_records=1_000,
        conflate_above=0.3,
        **policies,
    ) as feed:
        await feed.live()
        depth = (
            '{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{2},"s":"BTCUSDT",'
            '"U":{0},"u":{1},"b":[["1.5","{1}"]],"a":[]}}}}'
        )
        now = time.time_ns() // 1_000_000
        await exchange.send(exchange.trade("BTCUSDT", 1), depth.format(141, 160, now))
        state = feed.feed.state
        assert state is not None
        await until(lambda: feed.published == 1 and state.total_events() == 3)
        await until(lambda: feed.stats.depth_records == 0)
        await asyncio.to_thread(kafka.stop)
        await exchange.send(*exchange.make("BTCUSDT", range(2, 402)))
        await until(lambda: state.publisher.congested)
        await exchange.send(*exchange.make("BTCUSDT", range(402, 1_402)))
        await exchange.send(*(depth.format(n, n, now) for n in range(161, 171)))
        await until(lambda: feed.stats.dropped == {"trades": 1_000, "books": 1})
        exchange.book_id = 165
        await asyncio.to_thread(kafka.start)
        await until(lambda: not state.publisher.congested, 30)
        # Venue time moves on: what is missing is overdue.
        await exchange.send(exchange.trade("BTCUSDT", 1_402, DAY + 60_000))
        await until(lambda: feed.published == 1_402, 30, "REST brought what was dropped")
        await until(lambda: not state.staleness.stale, 20, "the book is whole again")
    assert sorted(feed.ids()) == list(range(1, 1_403))
    assert feed.statuses("gap") == [] and feed.stats.reconnects == 0
    assert [s["cause"] for s in feed.statuses("resync")] == [
        "an update was dropped because Kafka is slow"
    ]
    books = [r.json for r in feed.read("books") if r.json["event_type"] == "book"]
    assert [(b["is_snapshot"], b["sequence"]) for b in books[:3]] == [
        (True, 150),
        (False, 160),
        (True, 165),
    ]
    assert [b["sequence"] for b in books[3:]] == [166, 167, 168, 169, 170]


@pytest.mark.timeout(100)
async def test_what_kafka_never_takes_is_kept_in_a_local_file(
    exchange: ScriptedBinance, kafka: Kafka, tmp_path: Path
) -> None:
    """At an end without Kafka every waiting record is in the dead-letter folder, and counted."""
    async with running_feed(exchange, address(kafka), tmp_path, flush_timeout=1.0) as feed:
        await feed.live()
        await exchange.send(exchange.trade("BTCUSDT", 1))
        await until(lambda: feed.published == 1 and feed.stats.depth_records == 0)
        await asyncio.to_thread(kafka.stop)
        await exchange.send(*exchange.make("BTCUSDT", range(2, 52)))
        await until(lambda: feed.published == 51)
    files = list((tmp_path / "dead-letters").glob("binance-0-*.jsonl"))
    lines = files[0].read_text(encoding="utf-8").splitlines()
    assert len(lines) == feed.left == feed.stats.delivery_errors
    assert feed.left >= 50
