"""Frames of Binance spot's combined stream (``/stream``).

Source: binance-spot-api-docs, web-socket-streams.md (2026-07). Subscriptions are requests, each
confirmed by its id; data comes in an envelope that names the stream:

    {"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}   ->   {"result":null,"id":1}
    {"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,
     "p":"68016.19","q":"0.15","T":1672515782136,"m":true,"M":true}}

Meanings: times are ms; ``m`` true means that the buyer was the maker, so the aggressor sold;
``t`` rises by one per symbol; ``bookTicker`` has no time on spot (futures send ``T``); a depth
update covers the ids ``U``..``u``, so it follows the one that ended at ``U - 1``.

Each frame is decoded once into a typed struct and checked in bulk. Whatever is not exactly as
documented or does not pass is read once more by the tolerant path, which finds the reason.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from connectors.events import SCHEMA_VERSION, BookUpdate, Candle, Quote, TimeSource, Trade
from connectors.exchanges import checks
from connectors.exchanges.base import (
    Channel,
    Control,
    DeadLetter,
    Ignored,
    Instrument,
    Item,
    Parser,
    ReconnectRequest,
    Subscribed,
    Subscription,
    VenueError,
)
from connectors.exchanges.binance_frames import (
    candle,
    channel_of,
    decode_depth,
    decode_quote,
    decode_trade,
    depth_fits,
    quote_fits,
    trade_fields,
)

NAME: Final = "binance"
STREAMS: dict[Channel, str] = {
    "trades": "@trade",
    "quotes": "@bookTicker",
    "books": "@depth@100ms",
    "candles": "@kline_1m",
}
PARAMS_PER_FRAME = 100

_encode = msgspec.json.Encoder().encode

_ZERO = "0.00000000"

_SURPRISES = (*checks.UNREADABLE, KeyError, IndexError)


class BinanceParser(Parser):
    """One connection to ``/stream``: numbers its requests, knows what was confirmed."""

    def __init__(self, instruments: Iterable[Instrument], source: str, max_future: int) -> None:
        """Read frames of these instruments; events carry ``source``; ``max_future`` is in µs."""
        self._symbols: dict[str, str] = {}
        self._natives: dict[str, str] = {}
        self.learn(instruments)
        self._source = source
        self._max_future = max_future
        self._requests: dict[int, tuple[bool, tuple[Subscription, ...]]] = {}
        self._active: frozenset[Subscription] = frozenset()
        self._last_request = 0

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """See `Parser.learn`."""
        for one in instruments:
            self._symbols[one.native_symbol] = one.symbol
            self._natives[one.symbol] = one.native_symbol

    def subscribe_frames(self, subscriptions: Iterable[Subscription]) -> list[bytes]:
        """Return ``SUBSCRIBE`` requests. ValueError names a symbol that is no instrument."""
        return self._request_frames("SUBSCRIBE", subscriptions)

    def unsubscribe_frames(self, subscriptions: Iterable[Subscription]) -> list[bytes]:
        """Return ``UNSUBSCRIBE`` requests."""
        return self._request_frames("UNSUBSCRIBE", subscriptions)

    def _request_frames(self, method: str, subscriptions: Iterable[Subscription]) -> list[bytes]:
        wanted = list(subscriptions)
        streams = [self._stream(one) for one in wanted]
        frames = []
        for start in range(0, len(wanted), PARAMS_PER_FRAME):
            part = slice(start, start + PARAMS_PER_FRAME)
            self._last_request += 1
            self._requests[self._last_request] = (method == "SUBSCRIBE", tuple(wanted[part]))
            request = {"method": method, "params": streams[part], "id": self._last_request}
            frames.append(_encode(request))
        return frames

    def _stream(self, subscription: Subscription) -> str:
        native = self._natives.get(subscription.symbol)
        if native is None:
            raise ValueError(f"{subscription.symbol} is no instrument of this connection")
        return native.lower() + STREAMS[subscription.channel]

    def parse(self, frame: bytes, ts_recv: int) -> list[Item]:
        """See `Parser.parse`. The frame's last value tells its kind without a decode."""
        try:
            last = frame[-3]
            if last == 0x65:  # the e of "M":true or "M":false
                trade = decode_trade(frame).data
                native, seq, price, size = trade.s, trade.t, trade.p, trade.q
                ts_event = trade.T * 1000
                if (
                    # Both are digits with a point before the last eight, and not zero.
                    price[-9] == "." == size[-9]
                    and (price + size).replace(".", "", 2).isdigit()
                    and frame.isascii()
                    and price != _ZERO != size
                    and ts_event <= ts_recv + self._max_future
                ):
                    return [
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
                            "sell" if trade.m else "buy",
                        )
                    ]
            elif last == 0x22:  # the quotation mark after the ask size
                return self._quote(frame, ts_recv)
            elif last == 0x5D:  # the ] after the asks
                return self._book(frame, ts_recv)
        except _SURPRISES:
            pass
        return self._tolerant(frame, ts_recv)

    def _quote(self, frame: bytes, ts_recv: int) -> list[Item]:
        quote = decode_quote(frame).data
        native = quote.s
        if quote.T is None and quote_fits(frame, frame.find(b'"b":')):
            return [
                Quote(
                    NAME,
                    self._symbols[native],
                    native,
                    ts_recv,
                    ts_recv,
                    self._source,
                    "receipt",
                    SCHEMA_VERSION,
                    quote.b,
                    quote.B,
                    quote.a,
                    quote.A,
                    quote.u,
                )
            ]
        return self._tolerant(frame, ts_recv)

    def _book(self, frame: bytes, ts_recv: int) -> list[Item]:
        book = decode_depth(frame).data
        native, ts_event = book.s, book.E * 1000
        if depth_fits(frame, frame.find(b'"b":')) and ts_event <= ts_recv + self._max_future:
            return [
                BookUpdate(
                    NAME,
                    self._symbols[native],
                    native,
                    ts_event,
                    ts_recv,
                    self._source,
                    "venue",
                    SCHEMA_VERSION,
                    False,
                    book.b,
                    book.a,
                    book.u,
                    book.U - 1,
                    1,
                )
            ]
        return self._tolerant(frame, ts_recv)

    def _tolerant(self, frame: bytes, ts_recv: int) -> list[Item]:
        """Read any frame; say what it is or why it is nothing."""
        channel = symbol = None
        try:
            message = checks.mapping(checks.decoded(frame), "frame")
            data = message.get("data", message if "stream" not in message else None)
            control = self._control(message, data)
            if control is not None:
                return [control]
            fields = checks.mapping(data, "data")
            channel = channel_of(fields)
            if channel is None:
                return [Ignored(checks.clean(fields.get("e"), 40))]
            symbol = checks.known_symbol(fields.get("s"), self._symbols)
            return [self._event(channel, symbol, fields, ts_recv)]
        except checks.Reject as reject:
            return [DeadLetter(reject.reason, reject.detail, symbol, channel, frame)]

    def _control(self, message: dict[str, object], data: object) -> Control | None:
        """Answers to requests, and what the server says of itself."""
        request = message.get("id")
        error = message.get("error", message if "code" in message and "msg" in message else None)
        if error is not None:
            fields = error if isinstance(error, dict) else {"msg": error}
            _, rejected = self._requests.pop(_hashable(request), (False, ()))
            code, text = checks.clean(fields.get("code", "")), checks.clean(fields.get("msg", ""))
            return VenueError(code, text, rejected)
        if "result" in message:
            if _hashable(request) not in self._requests:
                return Ignored(f"answer to unknown request {checks.shown(request)}")
            added, subscriptions = self._requests.pop(_hashable(request))
            changed = frozenset(subscriptions)
            self._active = self._active | changed if added else self._active - changed
            return Subscribed(self._active)
        if isinstance(data, dict) and data.get("e") == "serverShutdown":
            return ReconnectRequest("serverShutdown")
        return None

    def _event(
        self, channel: Channel, symbol: str, fields: dict[str, object], ts_recv: int
    ) -> Trade | Quote | BookUpdate | Candle:
        time, ts_source = self._time(channel, fields, ts_recv)
        native = str(fields["s"])
        head: checks.Head = (
            NAME,
            symbol,
            native,
            time,
            ts_recv,
            self._source,
            ts_source,
            SCHEMA_VERSION,
        )
        if channel == "trades":
            return Trade(*head, *trade_fields(fields, "t", "p", "q", "m"))
        if channel == "quotes":
            return Quote(
                *head,
                checks.price(fields.get("b"), "bid price", zero=True),
                checks.size(fields.get("B"), "bid size", zero=True),
                checks.price(fields.get("a"), "ask price", zero=True),
                checks.size(fields.get("A"), "ask size", zero=True),
                checks.integer(fields.get("u"), "u"),
            )
        if channel == "books":
            bids, asks = checks.levels(fields.get("b"), "b"), checks.levels(fields.get("a"), "a")
            last, first = checks.integer(fields.get("u"), "u"), checks.integer(fields.get("U"), "U")
            return BookUpdate(*head, False, bids, asks, last, first - 1, 1)
        return candle(head, checks.mapping(fields.get("k"), "k"))

    def _time(
        self, channel: Channel, fields: dict[str, object], ts_recv: int
    ) -> tuple[int, TimeSource]:
        if channel == "quotes" and "T" not in fields:
            return ts_recv, "receipt"
        value = fields.get("E" if channel in ("books", "candles") else "T")
        return checks.milliseconds(value, ts_recv, self._max_future), "venue"


def _hashable(request: object) -> int:
    """Return a request id, or -1, which no request has."""
    return request if isinstance(request, int) else -1
