"""The topics of the platform and who writes which partition: the contract of the event log.

A partition of a ``market.*`` topic has one writer, a (venue, shard) pair. Flink takes
watermarks per partition, so a slow or wrongly clocked venue can delay results, but it cannot
make another venue's rows late; the usual key hash would mix venues and lose that.
"""

from collections.abc import Iterable
from typing import NamedTuple

from connectors.events import BookUpdate, Candle, Quote, Trade

KEEP_BY_SIZE = {"retention.ms": "-1", "retention.bytes": str(2 * 1024**3)}
"""Records carry venue time, and brokers compare it with the wall clock: a retention by time
would delete a replayed market at once. So event-time topics are bounded by size only."""

LARGEST_RECORD = 16 * 1024**2
"""Bytes. Coinbase's first book of BTC-USD has 46,000 levels: more than Kafka's default of 1 MiB."""


class Topic(NamedTuple):
    """One topic: its name without prefix, its partitions and its broker configuration."""

    name: str
    partitions: int
    config: dict[str, str]


WRITERS: tuple[tuple[str, int], ...] = (
    ("binance", 0),
    ("coinbase", 0),
    ("kraken", 0),
    ("okx", 0),
    ("bybit", 0),
    ("bitflyer", 0),
    ("gmo", 0),
    ("upbit", 0),
)
"""(venue, shard) by partition number. Append only: moving an entry would mix two writers."""


def partition_of(exchange: str, shard: int = 0) -> int:
    """Partition that (exchange, shard) alone may write. KeyError names an unknown writer."""
    try:
        return WRITERS.index((exchange, shard))
    except ValueError:
        raise KeyError(
            f"no partition for {exchange} shard {shard}: append it to WRITERS in {__name__}"
        ) from None


DEFAULT_VENUES = ("binance", "coinbase")
"""For whom topics are made where nobody says for whom."""


def partitions_for(venues: Iterable[str], shard: int | None = None) -> int:
    """Partitions that the highest writer of these venues needs (of one shard, or of all).

    Not one per known writer: a partition that nobody writes holds every window back for the idle
    timeout when a job starts. Topics grow when a writer with a higher number comes into use.

    KeyError names a venue that is no writer.
    """
    numbers = [0]
    for venue in venues:
        found = [
            number
            for number, writer in enumerate(WRITERS)
            if writer[0] == venue and shard in (None, writer[1])
        ]
        if not found:
            raise KeyError(f"{venue} is no writer; there are {', '.join(w for w, _ in WRITERS)}")
        numbers += found
    return max(numbers) + 1


def market(name: str, **config: str) -> Topic:
    """An event-time topic with one partition per writer in use."""
    partitions = partitions_for(DEFAULT_VENUES)
    return Topic(f"market.{name}", partitions, {**KEEP_BY_SIZE, **config})


TRADES = market("trades")
QUOTES = market("quotes")
BOOKS = market("books", **{"max.message.bytes": str(LARGEST_RECORD)})
CANDLES = market("candles")
ORDERS = market("orders")
POSITIONS = market("positions")
STATUS = market("status")
DEAD_LETTERS = market("dead-letters", **{"max.message.bytes": str(LARGEST_RECORD)})
LATE_EVENTS = Topic("market.late-events", 1, KEEP_BY_SIZE)
ALERTS = Topic("alerts", 1, {"cleanup.policy": "compact,delete", "retention.ms": "-1"})

DAY_MS = 24 * 3600 * 1000
BUS_EVENTS = Topic("bus.events", 6, {"retention.ms": str(7 * DAY_MS)})
BUS_DEAD_LETTERS = Topic(
    "bus.dead-letters",
    1,
    {"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(LARGEST_RECORD)},
)
BUS_PAYLOADS = Topic(
    "bus.payloads",
    6,
    {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(7 * DAY_MS),
        "max.message.bytes": str(LARGEST_RECORD),
    },
)
BUS_TOPICS: tuple[Topic, ...] = (BUS_EVENTS, BUS_DEAD_LETTERS, BUS_PAYLOADS)
"""Topics of the event bus, whose records are stamped with the wall clock."""

ORDER_EVENTS = Topic("order-events", 3, KEEP_BY_SIZE)
RAW_EVENTS = Topic("raw_events", 1, KEEP_BY_SIZE)
TRANSACTIONS = Topic("transactions", 1, KEEP_BY_SIZE)
PAYMENTS = Topic("payments", 1, KEEP_BY_SIZE)
STOCK_RESERVATIONS = Topic("stock-reservations", 1, KEEP_BY_SIZE)
PROCESSED_EVENTS = Topic("processed_events", 1, KEEP_BY_SIZE)
CUSTOMER_METRICS = Topic("customer-metrics", 1, {"cleanup.policy": "compact", "retention.ms": "-1"})
ORDER_TOPICS: tuple[Topic, ...] = (
    *(ORDER_EVENTS, RAW_EVENTS, TRANSACTIONS, PAYMENTS, STOCK_RESERVATIONS),
)
"""Topics that other teams' producers write, by keys of their own."""

EVENT_TIME_TOPICS: tuple[Topic, ...] = (TRADES, QUOTES, BOOKS, CANDLES)
"""Topics that windows read: heartbeats move their time."""

TOPICS: tuple[Topic, ...] = (
    TRADES,
    QUOTES,
    BOOKS,
    CANDLES,
    ORDERS,
    POSITIONS,
    STATUS,
    DEAD_LETTERS,
    LATE_EVENTS,
    ALERTS,
    *BUS_TOPICS,
    *ORDER_TOPICS,
    PROCESSED_EVENTS,
    CUSTOMER_METRICS,
)

PER_WRITER: tuple[Topic, ...] = (TRADES, QUOTES, BOOKS, CANDLES, STATUS, DEAD_LETTERS)
"""Topics of which each writer has a partition of its own."""


def topics_for(venues: Iterable[str], shard: int | None = None) -> list[Topic]:
    """All topics, those of the market with the partitions that these venues need."""
    partitions = partitions_for(venues, shard)
    names = {topic.name for topic in PER_WRITER}
    return [t._replace(partitions=partitions) if t.name in names else t for t in TOPICS]


TOPIC_OF_EVENT: dict[str, Topic] = {
    "trade": TRADES,
    "quote": QUOTES,
    "book": BOOKS,
    "candle": CANDLES,
    "order_status": ORDERS,
    "position_update": POSITIONS,
    "status": STATUS,
}
"""Topic by ``event_type``; heartbeats go to every event-time topic of their writer."""

KIND_OF_EVENT: dict[type, str] = {
    Trade: "trade",
    Quote: "quote",
    BookUpdate: "book",
    Candle: "candle",
}
"""``event_type`` of the events that carry market data."""


def event_key(exchange: str, symbol: str) -> bytes:
    """Record key ``exchange|SYMBOL``."""
    return f"{exchange}|{symbol}".encode()
