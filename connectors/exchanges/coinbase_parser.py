"""Frames of Coinbase Advanced Trade's market data.

Sources: Coinbase developer documentation, Advanced Trade WebSocket channels (2026); recorded
frames of 2026-08. One request subscribes one channel; the answer lists all subscriptions:

    {"type":"subscribe","product_ids":["BTC-USD"],"channel":"market_trades"}
    {"channel":"subscriptions","sequence_num":2,"events":[{"subscriptions":{"market_trades":[...]}}]}
    {"channel":"market_trades","timestamp":"2026-08-09T21:05:48.251397169Z","sequence_num":9,
     "events":[{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"1068572091",
     "price":"65083.67","size":"0.01034361","time":"2026-08-09T21:05:48.167634Z","side":"SELL"}]}]}

Meanings: ``side`` of a trade is the maker's, so the aggressor is the other one; the first answer
to ``market_trades`` is a snapshot of old trades, newest first; trade ids rise by one per product.
Quotes, books and candles (of five minutes) carry the time of their frame. ``sequence_num`` rises by
one per connection over all channels; it is the ``sequence`` of quotes and books. A book update
follows the last one of its product on this connection: ``prev_sequence`` is -1 (unknown) for
snapshots, before the first snapshot, after a dead letter of the product, and after a jump of the
counter.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from connectors.decimals import LEVEL_PRICES, LEVEL_SIZES, PRICES, SIZES
from connectors.events import SCHEMA_VERSION, BookUpdate, Candle, Level, Quote, TimeSource, Trade
from connectors.exchanges import checks
from connectors.exchanges.base import (
    Channel,
    DeadLetter,
    Ignored,
    Instrument,
    Item,
    Parser,
    SequenceGap,
    Subscribed,
    Subscription,
    VenueError,
    VenueHeartbeat,
)
from connectors.exchanges.coinbase_frames import (
    AGGRESSOR,
    candle,
    checked_sides,
    decode_books,
    decode_tickers,
    decode_trades,
    sides_of,
    trade_fields,
)
from connectors.exchanges.times import micros

NAME: Final = "coinbase"
CHANNELS: dict[Channel, str] = {
    "trades": "market_trades",
    "quotes": "ticker",
    "books": "level2",
    "candles": "candles",
}
CHANNEL_OF_FRAME: dict[str, Channel] = {
    "market_trades": "trades",
    "ticker": "quotes",
    "l2_data": "books",
    "candles": "candles",
}
_CHANNEL_OF_ACK = {name: channel for channel, name in CHANNELS.items()}
_LISTS: dict[Channel, str] = {"trades": "trades", "quotes": "tickers", "candles": "candles"}
"""Where a channel's events have their parts; a book event is a part itself."""
PRODUCTS_PER_FRAME = 100

_encode = msgspec.json.Encoder().encode

_known_prices, _known_sizes = PRICES.known, SIZES.known
_known_level_prices, _known_level_sizes = LEVEL_PRICES.known, LEVEL_SIZES.known

_YEAR_ONE = micros("0001-01-01T00:00:00Z")
"""What Coinbase rarely writes where it has no time."""

_SURPRISES = (*checks.UNREADABLE, KeyError, IndexError, ValueError)


class CoinbaseParser(Parser):
    """One connection: counts its frames, knows where each product's book stands."""

    def __init__(self, instruments: Iterable[Instrument], source: str, max_future: int) -> None:
        """Read frames of these instruments; events carry ``source``; ``max_future`` is in µs."""
        self._symbols: dict[str, str] = {}
        self._natives: dict[str, str] = {}
        self.learn(instruments)
        self._source = source
        self._max_future = max_future
        self._next_sequence: int | None = None
        self._book_sequence: dict[str, int] = {}
        self._beats_asked = False
        self._asked: set[Subscription] = set()

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """See `Parser.learn`."""
        for one in instruments:
            self._symbols[one.native_symbol] = one.symbol
            self._natives[one.symbol] = one.native_symbol

    def subscribe_frames(self, subscriptions: Iterable[Subscription]) -> list[bytes]:
        """Return one request per channel, and once the heartbeats that keep channels open."""
        return self._request_frames("subscribe", subscriptions)

    def unsubscribe_frames(self, subscriptions: Iterable[Subscription]) -> list[bytes]:
        """Return one request per channel."""
        return self._request_frames("unsubscribe", subscriptions)

    def _request_frames(self, kind: str, subscriptions: Iterable[Subscription]) -> list[bytes]:
        products: dict[str, list[str]] = {}
        wanted = list(subscriptions)
        for channel, symbol in wanted:
            if channel not in CHANNELS:
                raise ValueError(f"{NAME} has no channel {channel}")
            if symbol not in self._natives:
                raise ValueError(f"{symbol} is no instrument of this connection")
            products.setdefault(CHANNELS[channel], []).append(self._natives[symbol])
        if kind == "subscribe":
            self._asked.update(wanted)
        else:
            self._asked.difference_update(wanted)
        if kind == "subscribe" and products and not self._beats_asked:
            self._beats_asked = True
            products = {"heartbeats": sorted(self._symbols), **products}
        return [
            _encode({"type": kind, "product_ids": names[i : i + PRODUCTS_PER_FRAME], "channel": c})
            for c, names in products.items()
            for i in range(0, len(names), PRODUCTS_PER_FRAME)
        ]

    def parse(self, frame: bytes, ts_recv: int) -> list[Item]:
        """See `Parser.parse`. The first letter of the channel chooses the typed decoder."""
        try:
            letter = frame[12]  # {"channel":"market_trades"
            if letter == 0x6D:
                return self._trades(frame, ts_recv)
            if letter == 0x74:
                return self._quotes(frame, ts_recv)
            if letter == 0x6C:
                return self._books(frame, ts_recv)
        except _SURPRISES:
            pass
        return self._tolerant(frame, ts_recv)

    def _trades(self, frame: bytes, ts_recv: int) -> list[Item]:
        decoded = decode_trades(frame)
        latest = ts_recv + self._max_future
        found: list[Trade] = []
        for event in decoded.events:
            for trade in event.trades:
                native, trade_id, price, size = (
                    trade.product_id,
                    trade.trade_id,
                    trade.price,
                    trade.size,
                )
                ts_event = micros(trade.time)
                if not (
                    0 < ts_event <= latest
                    and (price in _known_prices or price in PRICES)
                    and (size in _known_sizes or size in SIZES)
                    and trade_id.isdigit()
                    and trade_id.isascii()
                    and len(trade_id) <= 18
                ):
                    return self._tolerant(frame, ts_recv)
                seq = int(trade_id)
                found.append(
                    Trade(
                        NAME,
                        self._symbols[native],
                        native,
                        ts_event,
                        ts_recv,
                        self._source,
                        "venue",
                        SCHEMA_VERSION,
                        str(seq),
                        seq,
                        price,
                        size,
                        AGGRESSOR[trade.side],
                    )
                )
        if not found:
            return self._tolerant(frame, ts_recv)
        if len(found) > 1:
            found.sort(key=_trade_seq)
        return self._counted(decoded.sequence_num, [*found])

    def _quotes(self, frame: bytes, ts_recv: int) -> list[Item]:
        decoded = decode_tickers(frame)
        sequence = decoded.sequence_num
        ts_event = micros(decoded.timestamp)
        if sequence < 0 or not 0 < ts_event <= ts_recv + self._max_future:
            return self._tolerant(frame, ts_recv)
        found: list[Item] = []
        for event in decoded.events:
            for one in event.tickers:
                native, bid, ask = one.product_id, one.best_bid, one.best_ask
                bid_size, ask_size = one.best_bid_quantity, one.best_ask_quantity
                if not (
                    (bid in _known_level_prices or bid in LEVEL_PRICES)
                    and (bid_size in _known_level_sizes or bid_size in LEVEL_SIZES)
                    and (ask in _known_level_prices or ask in LEVEL_PRICES)
                    and (ask_size in _known_level_sizes or ask_size in LEVEL_SIZES)
                ):
                    return self._tolerant(frame, ts_recv)
                found.append(
                    Quote(
                        NAME,
                        self._symbols[native],
                        native,
                        ts_event,
                        ts_recv,
                        self._source,
                        "venue",
                        SCHEMA_VERSION,
                        bid,
                        bid_size,
                        ask,
                        ask_size,
                        sequence,
                    )
                )
        return self._counted(sequence, found) if found else self._tolerant(frame, ts_recv)

    def _books(self, frame: bytes, ts_recv: int) -> list[Item]:
        decoded = decode_books(frame)
        sequence = decoded.sequence_num
        ts_event = micros(decoded.timestamp)
        sides = [sides_of(event.updates) for event in decoded.events]
        if (
            not sides
            or None in sides
            or not 0 < ts_event <= ts_recv + self._max_future
            or any(event.product_id not in self._symbols for event in decoded.events)
        ):
            return self._tolerant(frame, ts_recv)
        found = self._counted(sequence, [])
        for event, levels in zip(decoded.events, sides, strict=True):
            if levels is not None:
                is_snapshot = event.type == "snapshot"
                head = self._head(event.product_id, ts_event, ts_recv, "venue")
                found.append(self._book(head, is_snapshot, *levels, sequence))
        return found

    def _head(self, native: str, ts_event: int, ts_recv: int, ts_source: TimeSource) -> checks.Head:
        symbol = checks.known_symbol(native, self._symbols)
        return NAME, symbol, native, ts_event, ts_recv, self._source, ts_source, SCHEMA_VERSION

    def _book(
        self,
        head: checks.Head,
        is_snapshot: bool,
        bids: list[Level],
        asks: list[Level],
        sequence: int,
    ) -> BookUpdate:
        native = head[2]
        previous = -1 if is_snapshot else self._book_sequence.get(native, -1)
        self._book_sequence[native] = sequence
        return BookUpdate(*head, is_snapshot, bids, asks, sequence, previous, 1)

    def _counted(self, sequence: int, found: list[Item]) -> list[Item]:
        """Take note of a frame's number; put a jump of the counter before what was found."""
        expected = self._next_sequence
        self._next_sequence = sequence + 1
        if sequence == expected or expected is None:
            return found
        self._book_sequence.clear()
        return [SequenceGap(expected, sequence - 1), *found]

    def _tolerant(self, frame: bytes, ts_recv: int) -> list[Item]:
        """Read any frame; say of each of its parts what it is or why it is nothing."""
        channel: Channel | None = None
        found: list[Item] = []
        try:
            message = checks.mapping(checks.decoded(frame), "frame")
            if message.get("type") == "error":
                text = checks.clean(message.get("message", message.get("reason", "")))
                return [VenueError("", text, self._rejected(text))]
            name = message.get("channel")
            sequence = checks.integer(message.get("sequence_num"), "sequence_num")
            found = self._counted(sequence, found)
            if not isinstance(name, str):
                raise checks.Reject("malformed", f"channel is no text: {checks.shown(name)}")
            if name == "heartbeats":
                return [*found, VenueHeartbeat()]
            events = checks.items(message.get("events"), "events")
            if name == "subscriptions":
                return [*found, Subscribed(self._confirmed(events))]
            if name not in CHANNEL_OF_FRAME:
                return [*found, Ignored(checks.clean(name, 40))]
            channel = CHANNEL_OF_FRAME[name]
            parts = self._parts(channel, message, events, sequence, ts_recv, frame)
        except checks.Reject as reject:
            if channel == "books":
                self._book_sequence.clear()
            return [*found, DeadLetter(reject.reason, reject.detail, None, channel, frame)]
        return [*found, *(parts or [Ignored(f"empty {name}")])]

    def _rejected(self, text: str) -> tuple[Subscription, ...]:
        """Return what was asked for of the products that an error names."""
        words = set(text.replace(",", " ").split())
        return tuple(one for one in sorted(self._asked) if self._natives[one.symbol] in words)

    def _confirmed(self, events: list[object]) -> frozenset[Subscription]:
        active = set()
        for event in events:
            lists = checks.mapping(checks.mapping(event, "event").get("subscriptions"), "list")
            for name, products in lists.items():
                channel = _CHANNEL_OF_ACK.get(name)
                for product in checks.items(products, name) if channel else ():
                    if isinstance(product, str) and product in self._symbols and channel:
                        active.add(Subscription(channel, self._symbols[product]))
        return frozenset(active)

    def _parts(
        self,
        channel: Channel,
        message: dict[str, object],
        events: list[object],
        sequence: int,
        ts_recv: int,
        frame: bytes,
    ) -> list[Item]:
        """Read the trades, quotes or book changes of a frame, one by one."""
        found: list[Item] = []
        for event in events:
            fields = checks.mapping(event, "event")
            inner = _LISTS.get(channel)
            for part in checks.items(fields.get(inner), inner) if inner else [fields]:
                symbol = native = None
                try:
                    one = checks.mapping(part, "part")
                    native = one.get("product_id")
                    symbol = checks.known_symbol(native, self._symbols)
                    time = one.get("time") if channel == "trades" else message.get("timestamp")
                    ts_event, ts_source = self._time(time, ts_recv)
                    head = self._head(str(native), ts_event, ts_recv, ts_source)
                    found.append(self._event(channel, head, one, sequence))
                except checks.Reject as reject:
                    if channel == "books" and isinstance(native, str):
                        self._book_sequence.pop(native, None)
                    raw = frame if len(events) == 1 and not inner else checks.raw(part)
                    found.append(DeadLetter(reject.reason, reject.detail, symbol, channel, raw))
        return sorted(found, key=_trade_order)

    def _time(self, value: object, ts_recv: int) -> tuple[int, TimeSource]:
        try:
            ts_event = micros(value if isinstance(value, str) else "")
        except ValueError:
            raise checks.Reject("time", f"not a UTC time: {checks.shown(value)}") from None
        if ts_event == _YEAR_ONE:
            return ts_recv, "receipt"
        return checks.event_time(ts_event, ts_recv, self._max_future), "venue"

    def _event(
        self, channel: Channel, head: checks.Head, fields: dict[str, object], sequence: int
    ) -> Trade | Quote | BookUpdate | Candle | Ignored:
        if channel == "trades":
            return Trade(*head, *trade_fields(fields))
        if channel == "candles":
            return candle(head, fields)
        if channel == "books":
            kind = fields.get("type")
            if kind not in ("snapshot", "update"):
                raise checks.Reject("malformed", f"type of l2_data: {checks.shown(kind)}")
            bids, asks = checked_sides(checks.items(fields.get("updates"), "updates"))
            return self._book(head, kind == "snapshot", bids, asks, sequence)
        if not fields.get("best_bid_quantity") or not fields.get("best_ask_quantity"):
            return Ignored("ticker without sizes")
        return Quote(
            *head,
            checks.price(fields.get("best_bid"), "best bid", zero=True),
            checks.size(fields.get("best_bid_quantity"), "best bid quantity", zero=True),
            checks.price(fields.get("best_ask"), "best ask", zero=True),
            checks.size(fields.get("best_ask_quantity"), "best ask quantity", zero=True),
            sequence,
        )


def _trade_seq(trade: Trade) -> int:
    return trade.trade_seq


def _trade_order(item: Item) -> int:
    return item.trade_seq if isinstance(item, Trade) else checks.MAX_ID
