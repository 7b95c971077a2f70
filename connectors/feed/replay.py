"""Recorded frames through the venue's parser to Kafka, with their own times.

Time is the recording's: heartbeats come at each second of it, between the frames of that second
and of the next, so they are the same at every speed and never overtake an event. Trades that a
reconnect brought twice are published once; dead letters and status events are those of a live
feed. A replay starts from nothing: give it topics of its own (TOPIC_PREFIX), or the log holds what
it already had twice.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from connectors.errors import ConfigurationError
from connectors.events import (
    SCHEMA_VERSION,
    BookUpdate,
    Candle,
    FeedStatus,
    Heartbeat,
    Quote,
    StatusKind,
    Trade,
)
from connectors.exchanges import registry
from connectors.exchanges.base import (
    DeadLetter,
    Instrument,
    Item,
    Parser,
    ResponseError,
    SequenceGap,
    Subscription,
    Venue,
)
from connectors.feed.books import BookSync
from connectors.feed.heartbeat import HeartbeatClock
from connectors.feed.recent import RecentTracker
from connectors.feed.recording import WORDS, Line, Reading, RecordingFile, Row, line_of
from connectors.feed.status import RateLimit, status
from connectors.kafka import topics
from connectors.kafka.clients import open_producer
from connectors.kafka.publisher import Publisher
from connectors.metrics import FeedStats
from connectors.settings import Settings

logger = logging.getLogger(__name__)

REMEMBERED = 100_000
"""Trade ids per symbol that are known as published: far more than a snapshot brings again."""
CHANNELS: tuple[topics.Topic, ...] = (topics.TRADES, topics.QUOTES, topics.BOOKS)


class Counts(Struct):
    """What became of a recording."""

    frames: int = 0
    events: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    duplicates: int = 0
    heartbeats: int = 0
    reading: Reading = field(default_factory=Reading)


class Replay:
    """Plays files of one venue, one after the other.

    Args:
        venue: The protocol, as the header names it.
        publisher: Where events go; its `run` must be running.
        speed: Recorded seconds per second; 0: as fast as possible.
        margin: How far heartbeats stay behind, recorded seconds.
    """

    def __init__(self, venue: Venue, publisher: Publisher, speed: float, margin: float) -> None:
        self.counts = Counts()
        self._venue = venue
        self._publisher = publisher
        self._speed = speed
        self._clocks = {topic.name: HeartbeatClock(margin) for topic in CHANNELS}
        self._parsers: dict[str, Parser] = {}
        self._instruments: list[Instrument] = []
        self._subscriptions: list[Subscription] = []
        self._trackers: dict[str, RecentTracker] = {}
        self._reports = RateLimit()
        self._next_beat: int | None = None
        self._began: tuple[float, int] | None = None
        self._carriers: dict[str, str] = {}
        """Connection of each book's last update."""
        self._books: dict[str, BookSync] = {}
        """Of venues whose books need a snapshot by REST, where the recording has it."""

    async def play(self, files: Sequence[Path]) -> Counts:
        """Play all frames. ConfigurationError where a file lacks its header or listing."""
        for path in files:
            self._instruments = []
            header = Row("header")
            for row in RecordingFile(path, self.counts.reading).rows():
                if row.t == "header":
                    header = row
                elif row.t == "http":
                    if not self._instruments:
                        self._listing(row, header)
                    elif self._books:
                        await self._reach(line_of(row).ts)
                        self._snapshot(row)
                else:
                    if not self._instruments:
                        raise ConfigurationError(f"{path}: no listing of its symbols comes first")
                    await self._line(line_of(row))
        return self.counts

    def _listing(self, row: Row, header: Row) -> None:
        """The first answer that lists the header's symbols gives the instruments."""
        symbols = list(dict.fromkeys(symbol for each in header.config.values() for symbol in each))
        try:
            self._instruments = self._venue.parse_instruments(row.data.encode(), symbols)
        except (ResponseError, ValueError):
            return
        self._subscriptions = [
            Subscription(channel, symbol)  # type: ignore[arg-type]
            for channel, word in WORDS.items()
            for symbol in header.config.get(word, ())
        ]
        if header.snapshots:
            for one in self._instruments:
                if self._venue.book_request(one, "") is not None:
                    self._books.setdefault(one.symbol, BookSync(by_rest=True))

    def _snapshot(self, row: Row) -> None:
        """Join a book by REST with the updates around it."""
        for one in self._instruments:
            sync, path = self._books.get(one.symbol), self._venue.book_request(one, "")
            if sync is None or path is None or not row.url.endswith(path):
                continue
            line, source = line_of(row), f"{self._venue.name}-rest"
            try:
                book = self._venue.parse_book(line.data, one, line.ts, source)
            except ResponseError:
                self.counts.dead_letters += 1
                return
            for event in () if sync.live else sync.join(book) or ():
                self._count(event)
            return

    async def _line(self, line: Line) -> None:
        await self._reach(line.ts)
        if line.kind == "connect":
            self._parser(line.conn, fresh=True)
            self._tell(line, "connected", line.data.decode(errors="replace"))
        elif line.kind == "disconnect":
            self._parsers.pop(line.conn, None)
            for symbol, sync in self._books.items():
                if self._carriers.get(symbol) == line.conn:
                    sync.reset()
            self._tell(line, "disconnected", line.data.decode(errors="replace"))
        elif line.kind == "recv":
            self.counts.frames += 1
            for item in self._parser(line.conn).parse(line.data, line.ts):
                self._publish(item, line)
            if self._publisher.blocked:
                await self._publisher.wait_for_space()
            elif self.counts.frames % 1000 == 0:
                await asyncio.sleep(0)

    def _parser(self, conn: str, fresh: bool = False) -> Parser:
        parser = None if fresh else self._parsers.get(conn)
        if parser is None:
            parser = self._venue.parser(self._instruments, f"{conn}-replay")
            parser.subscribe_frames(self._subscriptions)
            self._parsers[conn] = parser
        return parser

    async def _reach(self, ts: int) -> None:
        """Wait until a recorded time is due, writing the heartbeats that are due before it."""
        if self._began is None or self._next_beat is None:
            self._began, self._next_beat = (time.monotonic(), ts), ts + 1_000_000
        while self._next_beat <= ts:
            await self._wait(self._next_beat)
            self._beat(self._next_beat)
            self._next_beat += 1_000_000
        await self._wait(ts)

    async def _wait(self, ts: int) -> None:
        assert self._began is not None
        if self._speed > 0:
            at, first = self._began
            ahead = at + (ts - first) / 1_000_000 / self._speed - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)

    def _beat(self, ts: int) -> None:
        for topic in CHANNELS:
            at = self._clocks[topic.name].tick(ts / 1_000_000, quiet=not self._parsers)
            if at is not None:
                name = self._venue.name
                head = (name, "*", "*", at, ts, f"{name}-replay", "venue", SCHEMA_VERSION)
                beat = Heartbeat(*head, last_trade_ids=None)  # type: ignore[arg-type]
                self.counts.heartbeats += self._publisher.heartbeat(beat, topic)

    def _publish(self, item: Item, line: Line) -> None:
        if isinstance(item, Trade) and not self._is_new(item):
            self.counts.duplicates += 1
        elif isinstance(item, BookUpdate) and item.symbol in self._books:
            self._book(item, self._books[item.symbol], line)
        elif isinstance(item, (Trade, Quote, BookUpdate, Candle)):
            self._count(item)
        elif isinstance(item, DeadLetter):
            self.counts.dead_letters += 1
            source = f"{line.conn}-replay"
            self._publisher.dead_letter(
                item.raw, item.reason, item.detail, source, line.ts, item.symbol
            )
            if self._reports.allow(f"{item.reason}|{item.symbol}", line.ts / 1e6) is not None:
                self._tell(line, "dead_letter", f"{item.reason}: {item.detail}")
        elif isinstance(item, SequenceGap):
            self._tell(line, "resync", f"frames {item.from_id}..{item.to_id} never came")

    def _book(self, update: BookUpdate, sync: BookSync, line: Line) -> None:
        """Publish an update that continues its book; others wait for a snapshot."""
        self._carriers[update.symbol] = line.conn
        event = sync.take(update)
        if event is not None:
            self._count(event)
        if sync.broken is not None:
            cause, sync.broken = sync.broken.cause, None
            self._tell(line, "resync", f"{update.symbol}: {cause}")

    def _count(self, event: Trade | Quote | BookUpdate | Candle) -> None:
        kind = str(event.__struct_config__.tag)
        clock = self._clocks.get(topics.TOPIC_OF_EVENT[kind].name)
        if clock is not None:
            clock.event(event.ts_event)
        self._publisher.event(event, kind)
        self.counts.events[kind] = self.counts.events.get(kind, 0) + 1

    def _is_new(self, trade: Trade) -> bool:
        tracker = self._trackers.get(trade.symbol)
        if tracker is None:
            tracker = self._trackers[trade.symbol] = RecentTracker(max_ids=REMEMBERED)
        return tracker.accept(trade.trade_seq, trade.ts_event)

    def _tell(self, line: Line, kind: StatusKind, cause: str) -> None:
        event: FeedStatus = status(self._venue.name, f"{line.conn}-replay", kind, cause=cause)
        event = msgspec.structs.replace(event, ts_event=line.ts, ts_recv=line.ts)
        self._publisher.event(event, "status")


def venue_of(path: Path) -> Venue:
    """The venue that a file's header names. ConfigurationError where it has none that is known."""
    try:
        for row in RecordingFile(path, Reading()).rows():
            if row.t == "header":
                return registry.venue(row.exchange.lower())
            break
    except (OSError, KeyError) as error:
        raise ConfigurationError(f"{path} cannot be replayed: {error}") from error
    raise ConfigurationError(f"{path} cannot be replayed: it does not begin with a header")


async def replay_files(
    files: Sequence[Path], speed: float, settings: Settings
) -> tuple[Counts, int]:
    """Play files of one venue to Kafka; gives the counts and how many records Kafka did not take.

    Args:
        files: In the order in which they are played.
        speed: Recorded seconds per second; 0: as fast as possible.
        settings: Kafka's address, the topics' prefix, bounds.
    """
    venues = {venue_of(path).name for path in files}
    if len(venues) != 1:
        raise ConfigurationError(f"one venue at a time, not {', '.join(sorted(venues))}")
    (name,) = venues
    producer = await asyncio.to_thread(
        open_producer, settings, [settings.topic(topic.name) for topic in topics.TOPICS]
    )
    publisher = Publisher(producer, settings, name, FeedStats(name))
    ticks = asyncio.create_task(publisher.run())
    replay = Replay(registry.venue(name), publisher, speed, settings.heartbeat_margin)
    try:
        await replay.play(files)
    finally:
        ticks.cancel()
        await asyncio.gather(ticks, return_exceptions=True)
        left = await publisher.close(settings.flush_timeout)
    return replay.counts, left
