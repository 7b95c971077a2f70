"""What a feed knows beyond one connection."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from connectors.events import BookUpdate, Candle, Quote, StatusKind, Trade
from connectors.exchanges.base import DeadLetter, Instrument, Subscription, Venue
from connectors.feed.fill import GapFiller
from connectors.feed.heartbeat import HeartbeatClock
from connectors.feed.sequence import Range
from connectors.feed.staleness import StalenessMonitor
from connectors.feed.status import RateLimit, status
from connectors.feed.tail import Tracker, new_tracker
from connectors.kafka.backlog import Kept
from connectors.kafka.publisher import Publisher
from connectors.kafka.serde import encode
from connectors.kafka.topics import KIND_OF_EVENT
from connectors.metrics import FeedStats
from connectors.settings import Settings

CLOCKED_CHANNELS = ("trades", "quotes", "books", "candles")


class Coverage(Protocol):
    """A group of subscriptions; ``live`` names the connections that carry it."""

    live: list[Any]
    subscriptions: list[Subscription]


class Counted(Protocol):
    """A connection that counts its frames."""

    frames: int


class Stream:
    """One symbol: its tracker and counters; attributes because the hot path touches them."""

    __slots__ = (
        "books",
        "candles",
        "held",
        "holding",
        "instrument",
        "key",
        "open_gap",
        "quotes",
        "symbol",
        "tracker",
        "trades",
    )

    def __init__(self, instrument: Instrument, key: bytes, tracker: Tracker) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.key = key
        self.tracker = tracker
        self.trades = 0
        self.quotes = 0
        self.books = 0
        self.candles = 0
        self.holding = True
        """No live connection carries it: its trades wait in ``held``."""
        self.held: list[Trade] = []
        self.open_gap: int | None = None
        """First id of a gap that was told without an end."""


class FeedState:
    """Everything a session needs and the next session goes on with.

    Args:
        venue: The protocol.
        settings: Bounds and times.
        instruments: Of all symbols in ``subscriptions``.
        subscriptions: What is wanted at first; `add` and `drop` change it.
        publisher: Where events go.
        stats: Counters.
        filler: REST access to missing trades.
        trackers: What a former process had published, by symbol.
    """

    def __init__(
        self,
        venue: Venue,
        settings: Settings,
        instruments: Sequence[Instrument],
        subscriptions: Sequence[Subscription],
        publisher: Publisher,
        stats: FeedStats,
        filler: GapFiller,
        trackers: dict[str, Tracker],
    ) -> None:
        self.venue = venue
        self.settings = settings
        self.instruments = list(instruments)
        self.publisher = publisher
        self.stats = stats
        self.filler = filler
        self.subscriptions = list(subscriptions)
        self.gone: set[tuple[str, str]] = set()
        """Channel and symbol of what was dropped: frames on their way may still bring it."""
        self._trackers = trackers
        self.streams: dict[str, Stream] = {}
        for instrument in instruments:
            self._stream(instrument)
        self.clocks = {
            channel: HeartbeatClock(settings.heartbeat_margin, settings.replay_speed)
            for channel in CLOCKED_CHANNELS
        }
        self.staleness = StalenessMonitor(dict(venue.limits.stale))
        self.live = False
        """All is subscribed, nothing is held: heartbeats may go out."""
        self.groups: list[Coverage] = []
        self.sessions: set[Counted] = set()
        """Open connections."""
        self.frames_before = 0
        """Frames of connections that have ended."""
        self.source = f"{venue.name}-0"
        self.rest_base = settings.rest_base(venue.name)
        self.emit: Callable[[Any], None] = lambda status: publisher.event(status, "status")
        """Takes status events, and errors as `EngineEvent`; see `connectors.feed.reports`."""
        self._dead_reports = RateLimit()
        self.book_dropped: Callable[[str], None] = lambda symbol: None
        """Told of each symbol of which a book update was dropped; set by the keeper of books."""
        publisher.release = self._release

    def _stream(self, instrument: Instrument) -> Stream:
        """The symbol's stream; a new one goes on where the log's tail says it ended."""
        stream = self.streams.get(instrument.symbol)
        if stream is None:
            symbol = instrument.symbol
            tracker = self._trackers.get(symbol) or new_tracker(self.venue.numbering)
            stream = Stream(instrument, self.publisher.key(symbol), tracker)
            self.streams[symbol] = stream
        return stream

    def add(self, instrument: Instrument, subscriptions: Sequence[Subscription]) -> None:
        """Want more of a symbol; what was known of it before counts again."""
        self._stream(instrument)
        if instrument not in self.instruments:
            self.instruments.append(instrument)
        self.subscriptions += subscriptions
        self.gone.difference_update(subscriptions)

    def drop(self, subscriptions: Sequence[Subscription]) -> None:
        """Want less: nothing of it is published from now on, and what is missing is told.

        The stream is kept: its ids stay in the heartbeats, so that whoever adds the symbol again
        goes on where it ended.
        """
        self.subscriptions = [one for one in self.subscriptions if one not in subscriptions]
        self.gone.update(subscriptions)
        for channel, symbol in subscriptions:
            self.staleness.forget((channel, symbol))
            stream = self.streams[symbol]
            if channel == "trades":
                stream.holding, stream.held = True, []
                for hole in stream.tracker.untold():
                    self.tell_gaps(stream, hole.low, hole.high, "unsubscribed before it was filled")

    def total_events(self) -> int:
        """Market events taken since the start, all streams."""
        return sum(s.trades + s.quotes + s.books + s.candles for s in self.streams.values())

    def note_live(self) -> None:
        """A connection was added to a group or has left one."""
        self.live = bool(self.groups) and all(group.live for group in self.groups)
        self.stats.connected = int(self.live)

    def quiet(self, channel: str) -> bool:
        """Whether heartbeats of a channel must stop: a connection of it is not live, or none is."""
        carriers = [
            group
            for group in self.groups
            if any(one.channel == channel for one in group.subscriptions)
        ]
        return not carriers or not all(group.live for group in carriers)

    def refresh_stats(self) -> None:
        """Bring the counters that the hot path keeps per symbol into ``stats``."""
        streams = self.streams.values()
        self.stats.frames = self.frames_before + sum(s.frames for s in self.sessions)
        self.stats.trades = sum(s.trades for s in streams)
        self.stats.quotes = sum(s.quotes for s in streams)
        self.stats.books = sum(s.books for s in streams)
        self.stats.candles = sum(s.candles for s in streams)

    def venue_time(self) -> int:
        """Highest venue time of any published trade, µs; 0 before the first."""
        clock = self.clocks["trades"]
        return max(clock.pending, clock.venue_time or 0)

    def tell(
        self,
        kind: StatusKind,
        stream: Stream | None = None,
        *,
        channel: str = "*",
        cause: str = "",
        from_id: int | None = None,
        to_id: int | None = None,
        seconds: float | None = None,
        source: str = "",
    ) -> None:
        """Publish a status event; without ``stream`` it concerns all symbols."""
        event = status(
            self.venue.name,
            source or self.source,
            kind,
            symbol="*" if stream is None else stream.symbol,
            native_symbol="*" if stream is None else stream.instrument.native_symbol,
            channel=channel,
            cause=cause,
            from_id=from_id,
            to_id=to_id,
            seconds=seconds,
        )
        self.emit(event)

    def publish_trade(self, trade: Trade) -> None:
        """Publish a trade unless it was published before."""
        if self.gone and ("trades", trade.symbol) in self.gone:
            return
        stream = self.streams[trade.symbol]
        when = trade.ts_event
        if not stream.tracker.accept(trade.trade_seq, when):
            self.stats.duplicates += 1
            return
        stream.trades += 1
        if trade.source == self.filler.source:
            self.stats.filled += 1
        self.clocks["trades"].event(when)
        publisher = self.publisher
        publisher.put(publisher.trades_topic, stream.key, encode(trade), when // 1000)

    def publish_latest(self, event: Quote | BookUpdate | Candle) -> None:
        """Publish a quote, book update or candle; while Kafka is slow, as its policy says."""
        stream = self.streams[event.symbol]
        if isinstance(event, Quote):
            stream.quotes += 1
            channel = "quotes"
        elif isinstance(event, BookUpdate):
            stream.books += 1
            channel = "books"
        else:
            stream.candles += 1
            channel = "candles"
        publisher = self.publisher
        if publisher.congested and publisher.backlog.holds(channel):
            for dropped in publisher.hold_back(channel, event):
                if isinstance(dropped, BookUpdate):
                    self.book_dropped(dropped.symbol)
        else:
            self.clocks[channel].event(event.ts_event)
            publisher.event(event, KIND_OF_EVENT[type(event)])

    def shed_trade(self, trade: Trade, now: float) -> None:
        """Hold a trade back or drop it, as the policy says; ``now`` is monotonic.

        A dropped one is a hole like any other: asked for by REST once there is room.
        """
        self.staleness.seen(("trades", trade.symbol), now)
        for dropped in self.publisher.hold_back("trades", trade):
            if isinstance(dropped, Trade):
                tracker = self.streams[dropped.symbol].tracker
                tracker.expect(dropped.trade_seq, dropped.ts_event)

    def _release(self, event: Kept) -> None:
        """Publish what was held back: there is room again, and its symbol is still wanted."""
        if event.symbol not in self.streams:
            return
        if isinstance(event, Trade):
            self.publish_trade(event)
        else:
            kind = KIND_OF_EVENT[type(event)]
            self.clocks[f"{kind}s"].event(event.ts_event)
            self.publisher.event(event, kind)

    def dead_letter(self, item: DeadLetter, source: str, ts_recv: int, now: float) -> None:
        """Publish a dead letter, and a status event at most each 10 s per reason and symbol."""
        self.publisher.dead_letter(item.raw, item.reason, item.detail, source, ts_recv, item.symbol)
        held = self._dead_reports.allow(f"{item.reason}|{item.symbol}", now)
        if held is None:
            return
        more = f" ({held} more since the last report)" if held else ""
        self.tell(
            "skew" if item.reason == "future" else "dead_letter",
            self.streams.get(item.symbol or ""),
            channel=item.channel or "*",
            cause=f"{item.reason}: {item.detail}{more}",
        )

    def tell_gaps(self, stream: Stream, low: int, high: int, cause: str) -> None:
        """Publish what is missing in ``low``..``high`` as gaps, each id once."""
        for gap in stream.tracker.tell(low, high):
            self.tell_gap(stream, gap, cause)

    def tell_gap(self, stream: Stream, gap: Range, cause: str) -> None:
        """Publish one range of trade ids as missing."""
        self.stats.gaps += 1
        if self.venue.numbering == "consecutive":
            self.stats.gap_trades += gap.high - gap.low + 1
        self.tell("gap", stream, channel="trades", cause=cause, from_id=gap.low, to_id=gap.high)

    def open_gaps(self, cause: str) -> None:
        """Say for each symbol that trades from the next id on are missing, end unknown."""
        wanted = {one.symbol for one in self.subscriptions if one.channel == "trades"}
        for stream in self.streams.values():
            first = stream.tracker.next if stream.symbol in wanted else None
            if first is not None and stream.open_gap is None:
                stream.open_gap = first
                self.stats.gaps += 1
                self.tell("gap", stream, channel="trades", cause=cause, from_id=first)

    def close_gap(self, stream: Stream) -> None:
        """End an open gap where what it held has been published or told with both ends."""
        first, last = stream.open_gap, stream.tracker.last
        if first is None or last is None:
            return
        if last >= first and not any(not hole.told for hole in stream.tracker.within(first, last)):
            stream.open_gap = None
            self.tell("recovered", stream, channel="trades", from_id=first, to_id=last)

    def settled_ids(self) -> dict[str, int]:
        """Per symbol: every id up to here is published or told."""
        settled = {s.symbol: s.tracker.settled for s in self.streams.values()}
        return {symbol: last for symbol, last in settled.items() if last is not None}
