"""The topics of the platform and who writes which partition: the contract of the event log.

A partition of a ``market.*`` topic has one writer, a (venue, shard) pair. Flink takes
watermarks per partition, so a slow or wrongly clocked venue can delay results, but it cannot
make another venue's rows late; the usual key hash would mix venues and lose that.
"""

from typing import NamedTuple

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


def market(name: str, **config: str) -> Topic:
    """An event-time topic with one partition per writer."""
    return Topic(f"market.{name}", len(WRITERS), {**KEEP_BY_SIZE, **config})


TRADES = market("trades")
QUOTES = market("quotes")
BOOKS = market("books", **{"max.message.bytes": str(LARGEST_RECORD)})
CANDLES = market("candles")
STATUS = market("status")
DEAD_LETTERS = market("dead-letters", **{"max.message.bytes": str(LARGEST_RECORD)})
LATE_EVENTS = Topic("market.late-events", 1, KEEP_BY_SIZE)
ALERTS = Topic("alerts", 1, {"cleanup.policy": "compact,delete", "retention.ms": "-1"})

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

EVENT_TIME_TOPICS: tuple[Topic, ...] = (TRADES, QUOTES, BOOKS)
"""Topics that windows read: heartbeats move their time."""

TOPICS: tuple[Topic, ...] = (
    TRADES,
    QUOTES,
    BOOKS,
    CANDLES,
    STATUS,
    DEAD_LETTERS,
    LATE_EVENTS,
    ALERTS,
    *ORDER_TOPICS,
    PROCESSED_EVENTS,
    CUSTOMER_METRICS,
)

TOPIC_OF_EVENT: dict[str, Topic] = {
    "trade": TRADES,
    "quote": QUOTES,
    "book": BOOKS,
    "candle": CANDLES,
    "status": STATUS,
}
"""Topic by ``event_type``; heartbeats go to every event-time topic of their writer."""


def event_key(exchange: str, symbol: str) -> bytes:
    """Record key ``exchange|SYMBOL``."""
    return f"{exchange}|{symbol}".encode()
