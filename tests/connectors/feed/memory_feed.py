"""A feed's state whose records stay in memory: for what concerns neither Kafka nor sockets."""

from pathlib import Path
from typing import Any

import msgspec

from connectors.events import SCHEMA_VERSION, Trade
from connectors.exchanges import registry
from connectors.exchanges.base import Instrument, Subscription
from connectors.feed.fill import GapFiller
from connectors.feed.state import FeedState
from connectors.kafka.producers import Depth, Failure
from connectors.kafka.publisher import Publisher
from connectors.metrics import FeedStats
from connectors.settings import load_settings

FINE = "0.00000001"


class MemoryProducer:
    """Keeps what it takes; of no client library."""

    broken = ""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []

    def send(self, topic: str, partition: int, key: bytes, value: bytes, *_: object) -> None:
        """As `Producer.send`."""
        self.taken.append((topic, msgspec.json.decode(value)))

    def poll(self) -> list[Failure]:
        """As `Producer.poll`."""
        return []

    def depth(self) -> Depth:
        """As `Producer.depth`."""
        return Depth(0, 0)


class MemoryFeed:
    """State, publisher and what was published."""

    def __init__(self, folder: Path, venue: str, *subscriptions: tuple[str, str]) -> None:
        self.venue = registry.venue(venue)
        self.producer = MemoryProducer()
        settings = load_settings(market_streams_state=folder)
        stats = FeedStats(venue)
        wanted = [Subscription(channel, symbol) for channel, symbol in subscriptions]  # type: ignore[arg-type]
        symbols = dict.fromkeys(one.symbol for one in wanted)
        self.state = FeedState(
            self.venue,
            settings,
            [self.instrument(symbol) for symbol in symbols],
            wanted,
            Publisher(self.producer, settings, venue, stats),  # type: ignore[arg-type]
            stats,
            GapFiller(None, self.venue, "http://nowhere", 0),  # type: ignore[arg-type]
            {},
        )

    def instrument(self, symbol: str) -> Instrument:
        """A market of the venue."""
        return Instrument(symbol, self.venue.native_symbol(symbol), FINE, FINE)

    def trade(self, symbol: str, number: int) -> Trade:
        """A trade at ``number`` seconds."""
        when = number * 1_000_000
        native = self.venue.native_symbol(symbol)
        head = (self.venue.name, symbol, native, when, when, "x", "venue", SCHEMA_VERSION)
        return Trade(*head, str(number), number, "1", "2", "buy")  # type: ignore[arg-type]

    def published(self, symbol: str) -> list[int]:
        """Trade numbers of a symbol, in order."""
        return [
            value["trade_seq"]
            for _, value in self.producer.taken
            if value["event_type"] == "trade" and value["symbol"] == symbol
        ]

    def statuses(self) -> list[tuple[str, str]]:
        """Kind and symbol of what was told."""
        return [
            (value["kind"], value["symbol"])
            for _, value in self.producer.taken
            if value["event_type"] == "status"
        ]
