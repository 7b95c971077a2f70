"""Bybit spot, WebSocket and REST API v5.

Spot and not linear: ``BTC-USDT`` then means the same market as on the other venues; Bybit calls its
linear contract ``BTCUSDT`` too, so one connection could not tell them apart.

Sources: bybit-exchange/docs v5 (2026-07); recorded frames of 2026-08 (linear; same shapes).

    {"req_id":"1","op":"subscribe","args":["publicTrade.BTCUSDT"]}
    {"success":true,"ret_msg":"subscribe","conn_id":"2324d924","req_id":"1","op":"subscribe"}
    {"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,
     "s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","i":"20f43950-d8dd-5b31-9112-a178eb6023af",
     "BT":false,"seq":1783284617}]}

Meanings: ``S`` is the taker's side; spot's ticker has no best prices, so quotes come from
``orderbook.1``; a snapshot replaces the book, ``u`` 1 means that the service restarted, ``u`` rises
by one per delta. Trade ids do not rise, so ``trade_seq`` is composed: ``seq`` (the engine's number,
shared by the fills of one order) x 1024 + the fill's place among them. It fits while ``seq`` is
below 2^53. A connection that opens between two frames of one ``seq`` counts from zero there.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.events import BookUpdate, Candle
from connectors.exchanges import checks
from connectors.exchanges.base import (
    Channel,
    Ignored,
    Item,
    Subscription,
    VenueError,
    VenueHeartbeat,
)
from connectors.exchanges.tolerant import TolerantParser, TradeFields, encode, ohlc, side, top

CHANNELS: Final[dict[Channel, str]] = {
    "trades": "publicTrade", "quotes": "orderbook.1", "books": "orderbook.200", "candles": "kline.1"
}  # fmt: skip
CHANNEL_OF: Final = {name: channel for channel, name in CHANNELS.items()}
FILLS: Final = 1024
"""Most fills of one ``seq``; as many as one frame holds."""
_TOPIC = re.compile(r"[A-Za-z]+(?:\.[0-9A-Z]+)?\.[A-Z0-9]+")


class BybitParser(TolerantParser):
    """One connection."""

    venue = "bybit"

    def channels(self) -> Mapping[Channel, str]:
        """See `TolerantParser.channels`."""
        return CHANNELS

    def request(self, added: bool, subscriptions: list[Subscription]) -> list[bytes]:
        """Return one request per symbol: a bad topic fails its whole request."""
        of_symbol: dict[str, list[Subscription]] = {}
        for one in subscriptions:
            of_symbol.setdefault(one.symbol, []).append(one)
        operation = "subscribe" if added else "unsubscribe"
        return [
            encode(
                {
                    "req_id": str(self.numbered(added, part)),
                    "op": operation,
                    "args": [f"{CHANNELS[c]}.{self.natives[symbol]}" for c, symbol in part],
                }
            )
            for part in of_symbol.values()
        ]

    def keepalive_frame(self) -> bytes:
        """Return the ping that Bybit wants every 20 s."""
        return b'{"op":"ping"}'

    def read(self, message: object, frame: bytes, ts_recv: int) -> list[Item]:
        """See `TolerantParser.read`."""
        fields = checks.mapping(message, "frame")
        topic = fields.get("topic")
        if topic is None:
            return [self._answer(fields)]
        name, _, native = str(topic).rpartition(".")
        channel = CHANNEL_OF.get(name)
        if channel is None:
            return [Ignored(checks.clean(topic, 60))]
        data = fields.get("data")
        rows = checks.items(data, "data") if channel in ("trades", "candles") else [data]

        def one(row: Any, native: str) -> Item:
            row = checks.mapping(row, "data")
            if channel == "trades":
                return self.trade(native, self._trade_fields(native, row), ts_recv)
            if channel == "candles":
                return candle(self.head(native, _millis(row.get("timestamp")), ts_recv), row)
            head = self.head(native, _millis(fields.get("cts", fields.get("ts"))), ts_recv)
            return self._book(channel, head, fields.get("type"), row)

        return self.parts(channel, native, rows, one, frame)

    def _trade_fields(self, native: str, row: dict[str, Any]) -> TradeFields:
        return trade_fields(row, "T", "p", "v", "S", "i", self.ordinal(native, row.get("seq")))

    def _book(self, channel: Channel, head: checks.Head, kind: object, row: dict[str, Any]) -> Item:
        if kind not in ("snapshot", "delta"):
            raise checks.Reject("malformed", f"type of a book: {checks.shown(kind)}")
        bids, asks = checks.levels(row.get("b"), "b"), checks.levels(row.get("a"), "a")
        number = checks.integer(row.get("u"), "u")
        is_snapshot = kind == "snapshot" or number == 1
        if channel == "quotes":
            return top(head, bids, asks, number) if is_snapshot else Ignored("delta of a quote")
        return BookUpdate(
            *head, is_snapshot, bids, asks, number, -1 if is_snapshot else number - 1, 1
        )

    def _answer(self, fields: dict[str, Any]) -> Item:
        operation, text = fields.get("op"), checks.clean(fields.get("ret_msg", ""))
        if operation in ("ping", "pong"):
            return VenueHeartbeat()
        if "success" not in fields:
            raise checks.Reject("malformed", f"no topic and no answer: {checks.shown(fields)}")
        added, asked = self.asked.get(_request(fields.get("req_id")), (True, ()))
        if fields["success"] is not True:
            named = {one[0] for one in _TOPIC.finditer(text)}
            every = [one for _, ones in self.asked.values() for one in ones]
            found = asked or [
                one for one in every if f"{CHANNELS[one[0]]}.{self.natives[one[1]]}" in named
            ]
            return VenueError("", text, tuple(dict.fromkeys(found)))
        if not asked:
            return Ignored(f"answer to unknown request {checks.shown(fields.get('req_id'))}")
        return self.confirmed(added, asked)


def _request(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else -1


def _millis(value: object) -> int:
    return checks.integer(value, "time", "time") * 1000


def trade_fields(
    row: Mapping[str, Any], time: str, price: str, size: str, taker: str, name: str, ordinal: int
) -> TradeFields:
    """Read a trade of the socket or of REST."""
    number = checks.integer(row.get("seq"), "seq", "trade_id")
    if number >= 2**53 or ordinal >= FILLS:
        raise checks.Reject("trade_id", f"seq {number} with {ordinal} fills cannot be composed")
    identity = checks.text(row.get(name), name, "trade_id")
    return (
        _millis(row.get(time)),
        identity,
        number * FILLS + ordinal,
        checks.price(row.get(price)),
        checks.size(row.get(size)),
        side(row.get(taker)),
    )


def candle(head: checks.Head, row: Mapping[str, Any]) -> Candle:
    """Read a bar of ``kline``."""
    closed, interval = row.get("confirm"), checks.text(row.get("interval"), "interval")
    if not isinstance(closed, bool):
        raise checks.Reject("malformed", f"confirm is no boolean: {checks.shown(closed)}")
    return Candle(
        *head,
        f"{interval}m" if interval.isdecimal() else interval,
        _millis(row.get("start")),
        _millis(row.get("end")),
        *ohlc(*(row.get(k) for k in ("open", "high", "low", "close"))),
        checks.volume(row.get("volume"), "volume"),
        checks.volume(row.get("turnover"), "turnover"),
        None,
        closed,
    )
