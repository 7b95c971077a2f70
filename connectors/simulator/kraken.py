"""The simulated Kraken: a market behind protocol v2.

Trades go out at once, one frame an arrival, with the taker's side; books at each 50 ms of
simulated time, each with the checksum of what the subscriber then has.
"""

from collections.abc import Collection, Sequence

from aiohttp import web

from connectors.simulator import kraken_frames as frames
from connectors.simulator.book import Changes
from connectors.simulator.booklog import Point
from connectors.simulator.clock import Clock
from connectors.simulator.faults import Faults, Kind
from connectors.simulator.instruments import Instrument, fixed
from connectors.simulator.kraken_protocol import KrakenProtocol, Stream
from connectors.simulator.kraken_rest import KrakenRest
from connectors.simulator.ledger import Ledger
from connectors.simulator.market import Market, SymbolMarket
from connectors.simulator.venue import Limits, TradeText, Venue
from connectors.simulator.wire import Connection

BATCH_US = 50_000
CANDLE_US = 2_000_000
SNAPSHOT_TRADES = 50

Side = dict[int, int]


class TopBook:
    """The best ``depth`` levels of a book as the subscribers of one depth have them."""

    def __init__(self, symbol: SymbolMarket, depth: int) -> None:
        self.symbol = symbol
        self._depth = depth
        self.bids, self.asks = self._top()

    def _top(self) -> tuple[Side, Side]:
        bids, asks = self.symbol.book()
        return dict(list(bids.items())[: self._depth]), dict(list(asks.items())[: self._depth])

    def next(self) -> tuple[Changes, Changes]:
        """What to send now. Who applies it and cuts to the depth has the new levels."""
        whole = self.symbol.book()
        before, after = (self.bids, self.asks), self._top()
        self.bids, self.asks = after
        bids, asks = (_changes(*sides) for sides in zip(before, after, whole, strict=True))
        return bids, asks


def _changes(before: Side, after: Side, whole: Side) -> Changes:
    """Levels that only slid out of the depth are not told: the subscriber cuts them off."""
    changed = [(price, size) for price, size in after.items() if before.get(price) != size]
    return changed + [(price, 0) for price in before if price not in whole]


class Kraken(Venue, KrakenProtocol):
    """The simulated Kraken."""

    def __init__(
        self,
        market: Market,
        ledger: Ledger,
        faults: Faults,
        clock: Clock,
        limits: Limits,
        skew_us: int = 0,
    ) -> None:
        super().__init__(market, ledger, faults, clock, limits, skew_us)
        self._books: dict[Stream, TopBook] = {}
        self._told: dict[Stream, Point] = {}
        self._quoted: dict[str, tuple[int, int, int, int]] = {}
        self._changed: set[SymbolMarket] = set()

    def texts(self, instrument: Instrument, price: int, size: int) -> tuple[str, str]:
        """At the pair's precision."""
        return fixed(price, instrument.price_decimals), fixed(size, instrument.size_decimals)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Also the REST paths."""
        super().add_routes(router)
        KrakenRest(self).add_routes(router)

    @property
    def pairs(self) -> Collection[str]:
        """What is listed."""
        return self.market.by_native

    def stream_closed(self, stream: Stream) -> None:
        """Forget what was shown of a book."""
        self._books.pop(stream, None)

    def snapshot(self, conn: Connection, stream: Stream) -> None:
        """The last trades, the ticker, the book at the depth, or the running candle."""
        symbol = self.market.by_native[stream.symbol]
        if stream.channel == "trade":
            self._send_old_trades(conn, symbol)
        elif stream.channel == "ticker":
            conn.send(frames.ticker("snapshot", symbol, symbol.best(), self.market_now_us()))
        elif stream.channel == "ohlc":
            frame = frames.candle("snapshot", symbol, self.market_now_us())
            if frame is not None:
                conn.send(frame)
        else:
            now_us = self.market_now_us()
            book = self._books.get(stream)
            if book is None:
                book = self._books[stream] = TopBook(symbol, int(str(stream.option)))
                self._told[stream] = self.note_book(symbol, now_us)
            else:
                self.book_logs[symbol.instrument.symbol].repeat(self._told[stream], now_us)
            bids, asks = list(book.bids.items()), list(book.asks.items())
            crc = frames.checksum(symbol.instrument, book.bids, book.asks)
            conn.send(frames.book("snapshot", symbol.instrument, bids, asks, crc, now_us))

    def _send_old_trades(self, conn: Connection, symbol: SymbolMarket) -> None:
        instrument = symbol.instrument
        trades = [
            TradeText(trade_id, time_us, *self.texts(instrument, price, size), buy)
            for trade_id, time_us, price, size, buy in symbol.history.last(SNAPSHOT_TRADES)
        ]
        if trades:
            conn.send(frames.trades("snapshot", instrument.native_symbol, trades))
        for trade in trades:
            conn.note(instrument.symbol, trade.trade_id, "snapshot")

    def offer(self, symbol: SymbolMarket, trades: Sequence[TradeText]) -> None:
        """One frame for the trades of an arrival."""
        native = symbol.instrument.native_symbol
        listeners = self.listeners.get(Stream("trade", native, ""), ())
        if listeners:
            frame = frames.trades("update", native, trades)
            for conn in listeners:
                conn.send(frame)
                for trade in trades:
                    conn.note(symbol.instrument.symbol, trade.trade_id)
        self._send_ticker(symbol, "trades")

    def offer_broken(self, symbol: SymbolMarket, trade: TradeText, kind: Kind) -> None:
        """A frame of its own that holds no sound trade."""
        native = symbol.instrument.native_symbol
        frame = frames.trades("update", native, [trade])
        for conn in self.listeners.get(Stream("trade", native, ""), ()):
            conn.send(self.faults.broken(kind, frame))

    def quote(self, symbol: SymbolMarket) -> None:
        """``ticker`` triggered by a best price or size; the book follows with the slice."""
        self._changed.add(symbol)
        native = symbol.instrument.native_symbol
        best = symbol.best()
        if self._quoted.get(native) != best:
            self._quoted[native] = best
            self._send_ticker(symbol, "bbo")

    def _send_ticker(self, symbol: SymbolMarket, trigger: str) -> None:
        stream = Stream("ticker", symbol.instrument.native_symbol, trigger)
        listeners = self.listeners.get(stream, ())
        if listeners:
            frame = frames.ticker("update", symbol, symbol.best(), self.market_now_us())
            for conn in listeners:
                conn.send(frame)

    def end_slice(self, to_us: int) -> None:
        """Books at each 50 ms, candles each 2 s of simulated time."""
        if not to_us % BATCH_US:
            self.send_pending()
        if not to_us % CANDLE_US:
            self._send_candles()

    def send_pending(self) -> None:
        """Send the changed books now."""
        changed, self._changed = self._changed, set()
        for stream, book in self._books.items():
            if book.symbol in changed:
                self._send_book(stream, book)

    def _send_book(self, stream: Stream, book: TopBook) -> None:
        bids, asks = book.next()
        symbol, now_us = book.symbol, self.market_now_us()
        if not (bids or asks):
            return
        self._told[stream] = self.note_book(symbol, now_us)
        if self.faults.strikes("book_gap", symbol.instrument.symbol, sequence=symbol.update_id):
            return
        crc = frames.checksum(symbol.instrument, book.bids, book.asks)
        if self.faults.strikes("checksum", symbol.instrument.symbol, sequence=symbol.update_id):
            crc ^= 1
        frame = frames.book("update", symbol.instrument, bids, asks, crc, now_us)
        for conn in self.listeners.get(stream, ()):
            conn.send(frame)

    def _send_candles(self) -> None:
        for stream, listeners in self.listeners.items():
            symbol = self.market.by_native[stream.symbol]
            if stream.channel == "ohlc" and not self.silent(symbol):
                frame = frames.candle("update", symbol, self.market_now_us())
                for conn in listeners if frame is not None else ():
                    conn.send(frame)  # type: ignore[arg-type]  # mypy does not see the condition
