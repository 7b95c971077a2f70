"""Kraken spot, WebSocket API v2 and REST.

Sources: docs.kraken.com, spot-websocket-v2, book-checksum-v2, REST AssetPairs and Trades (2026).

    {"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"]},"req_id":1}
    {"method":"subscribe","result":{"channel":"trade","symbol":"BTC/USD"},"success":true,"req_id":1}
    {"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.2,
     "qty":0.00027625,"ord_type":"limit","trade_id":10218208,
     "timestamp":"2023-10-06T17:35:55.440295Z"}]}

Meanings: numbers are JSON numbers whose digits are kept; ``side`` is the taker's; trade ids rise by
one per symbol; a new subscription brings the last 50 trades first. Books have no sequence but a
CRC32 (`kraken_book`); ``sequence`` is our own count per symbol and connection. Levels that fall out
of the subscribed depth are added to the update with size 0. The WebSocket writes BTC and DOGE where
REST writes XBT and XDG.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.events import Candle, Level, Quote, Trade
from connectors.exchanges import checks
from connectors.exchanges.base import (
    BookBroken,
    Channel,
    DeadLetter,
    Ignored,
    Instrument,
    Item,
    Subscription,
    VenueError,
    VenueHeartbeat,
)
from connectors.exchanges.kraken_book import KrakenBook
from connectors.exchanges.tolerant import (
    TolerantParser,
    TradeFields,
    by_order,
    chunks,
    encode,
    minute,
    ohlc,
    side,
)

CHANNELS: Final[dict[Channel, str]] = {
    "trades": "trade", "quotes": "ticker", "books": "book", "candles": "ohlc"
}  # fmt: skip
CHANNEL_OF: Final = {name: channel for channel, name in CHANNELS.items()}
DEPTH: Final = 100
OPTIONS: Final[dict[Channel, dict[str, object]]] = {
    "quotes": {"event_trigger": "bbo"}, "books": {"depth": DEPTH}, "candles": {"interval": 1},
    "trades": {"snapshot": True},
}  # fmt: skip
SYMBOLS_PER_FRAME: Final = 50


class KrakenParser(TolerantParser):
    """One connection: checks each book by a copy of its own."""

    venue = "kraken"
    numbers = True

    def __init__(self, instruments: Iterable[Instrument], source: str, max_future: int) -> None:
        """See `TolerantParser`."""
        super().__init__(instruments, source, max_future)
        self._books: dict[str, KrakenBook] = {}

    def channels(self) -> Mapping[Channel, str]:
        """See `TolerantParser.channels`."""
        return CHANNELS

    def request(self, added: bool, subscriptions: list[Subscription]) -> list[bytes]:
        """Return one request per channel and so many symbols."""
        frames = []
        for channel, name in CHANNELS.items():
            of_channel = [one for one in subscriptions if one.channel == channel]
            for part in chunks(of_channel, SYMBOLS_PER_FRAME):
                symbols = [self.natives[one.symbol] for one in part]
                params = {"channel": name, "symbol": symbols, **OPTIONS[channel]}
                method = "subscribe" if added else "unsubscribe"
                number = self.numbered(added, part)
                frames.append(encode({"method": method, "params": params, "req_id": number}))
        return frames

    def keepalive_frame(self) -> bytes:
        """Return a ping of the protocol: heartbeats come only while something is subscribed."""
        return b'{"method":"ping"}'

    def read(self, message: object, frame: bytes, ts_recv: int) -> list[Item]:
        """See `TolerantParser.read`."""
        fields = checks.mapping(message, "frame")
        if "method" in fields or "error" in fields:
            return [self._answer(fields)]
        name = fields.get("channel")
        if name == "heartbeat":
            return [VenueHeartbeat()]
        channel = CHANNEL_OF.get(name) if isinstance(name, str) else None
        if channel is None:
            if not isinstance(name, str):
                raise checks.Reject("malformed", f"no channel: {checks.shown(name)}")
            return [Ignored(checks.clean(name, 40))]
        kind = fields.get("type")
        if kind not in ("snapshot", "update"):
            raise checks.Reject("malformed", f"type of {name}: {checks.shown(kind)}")
        rows = checks.items(fields.get("data"), "data")
        found: list[Item] = []
        for row in rows:
            native = row.get("symbol") if isinstance(row, dict) else None
            if channel == "books":
                found += self._book(native, row, kind == "snapshot", ts_recv, frame)
            else:
                raw = frame if len(rows) == 1 else checks.raw(row)
                time = fields.get("timestamp")

                def one(row: Any, native: str, time: object = time) -> Item:
                    return self._event(channel, native, row, time, ts_recv)

                found += self.parts(channel, native, [row], one, raw)
        return sorted(found, key=by_order) if channel == "trades" else found

    def _answer(self, fields: dict[str, Any]) -> Item:
        if fields.get("method") == "pong":
            return VenueHeartbeat()
        request = fields.get("req_id")
        added, asked = self.asked.get(request if isinstance(request, int) else -1, (True, ()))
        if fields.get("success") is True:
            result = fields.get("result")
            result = result if isinstance(result, dict) else {}
            channel, native = result.get("channel"), result.get("symbol")
            found = [
                one
                for one in asked
                if CHANNELS[one.channel] == channel and self.natives[one.symbol] == native
            ]
            if not found:
                return Ignored(f"answer to unknown request {checks.shown(request)}")
            return self.confirmed(fields.get("method") == "subscribe" and added, found)
        symbol = self.symbols.get(str(fields.get("symbol")))
        rejected = tuple(one for one in asked if symbol is None or one.symbol == symbol)
        return VenueError("", checks.clean(fields.get("error", "")), rejected)

    def _event(
        self, channel: Channel, native: str, row: dict[str, Any], time: object, ts_recv: int
    ) -> Trade | Quote | Candle:
        if channel == "trades":
            return self.trade(native, trade_fields(row), ts_recv)
        if channel == "candles":
            stamp = None if time is None else checks.iso(time)
            return candle(self.head(native, stamp, ts_recv), row)
        stamp = None if row.get("timestamp") is None else checks.iso(row["timestamp"])
        prices = [checks.price(checks.number(row.get(k)), k, zero=True) for k in ("bid", "ask")]
        sizes = [
            checks.size(checks.number(row.get(k)), k, zero=True) for k in ("bid_qty", "ask_qty")
        ]
        head = self.head(native, stamp, ts_recv)
        return Quote(*head, prices[0], sizes[0], prices[1], sizes[1], None)

    def _book(
        self, native: object, row: Any, is_snapshot: bool, ts_recv: int, frame: bytes
    ) -> list[Item]:
        """Read one book; BookBroken in the place of an update whose checksum is wrong."""

        def read(row: Any, native: str) -> Item:
            row = checks.mapping(row, "data")
            bids, asks = levels(row.get("bids"), "bids"), levels(row.get("asks"), "asks")
            time = row.get("timestamp")
            head = self.head(native, None if time is None else checks.iso(time), ts_recv)
            wanted = checks.integer(row.get("checksum"), "checksum")
            if is_snapshot:
                one = self.instruments[native]
                self._books[native] = KrakenBook(DEPTH, one.tick_size, one.lot_size)
            book = self._books.get(native)
            if book is not None:
                gone_bids, gone_asks = book.apply(bids, asks)
                found = book.checksum()
                if found != wanted:
                    self._forget(native)
                    return BookBroken(head[1], f"checksum is {found}, Kraken says {wanted}")
                bids, asks = bids + gone_bids, asks + gone_asks
            return self.book(head, is_snapshot, bids, asks)

        found = self.parts("books", native, [row], read, frame)
        if isinstance(found[0], DeadLetter) and isinstance(native, str) and native in self._books:
            self._forget(native)
            found.append(BookBroken(self.symbols[native], "a message of it was a dead letter"))
        return found

    def _forget(self, native: str) -> None:
        self._books.pop(native, None)
        self.unchain(native)


def levels(value: object, name: str) -> list[Level]:
    """Return one side from ``[{"price":..,"qty":..}]``."""
    found = []
    for level in checks.items(value, name):
        fields = checks.mapping(level, name)
        price = checks.price(checks.number(fields.get("price")), zero=True)
        found.append((price, checks.size(checks.number(fields.get("qty")), zero=True)))
    return found


def trade_fields(row: dict[str, Any]) -> TradeFields:
    """Read a trade of the ``trade`` channel."""
    number = checks.integer(row.get("trade_id"), "trade_id", "trade_id")
    price, size = checks.number(row.get("price")), checks.number(row.get("qty"))
    time = checks.iso(row.get("timestamp"))
    taker = side(row.get("side"))
    return time, str(number), number, checks.price(price), checks.size(size), taker


def candle(head: checks.Head, row: dict[str, Any]) -> Candle:
    """Read a bar; Kraken does not say whether it is closed, the next one does."""
    minutes = checks.integer(row.get("interval"), "interval")
    begin = checks.iso(row.get("interval_begin"), "interval_begin")
    prices = ohlc(*(row.get(k) for k in ("open", "high", "low", "close")))
    volume = checks.volume(checks.number(row.get("volume")), "volume")
    trades = checks.integer(row.get("trades"), "trades")
    times = minute(begin, min(minutes, 100_000))
    return Candle(*head, f"{minutes}m", *times, *prices, volume, None, trades, False)
