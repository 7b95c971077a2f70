"""OKX spot, WebSocket and REST API v5.

Sources: OKX docs-v5 (2026); recorded frames of 2022-05; ccxt#30299 for the checksum, which has been
0 since 2026 and is not read. ``books`` and trades are on ``/public``, candles on ``/business``: a
connection carries either candles alone or none.

    {"id":"1","op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}
    {"id":"1","event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a4d3"}
    {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",
     "tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897",
     "count":"3"}]}

Meanings: ``side`` is the taker's; a trade is what one taker order took at one price, under the last
of its ids, so ids rise and leave numbers out; REST's single fills are put together by the same
rule. Times are ms as text. A book follows the one whose ``seqId`` is its ``prevSeqId`` (-1 for a
snapshot); frames older than these fields, and a ``seqId`` below ``prevSeqId`` (a reset by
maintenance), have an unknown predecessor, so readers wait for the next snapshot.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.events import BookUpdate, Candle, Level
from connectors.exchanges import checks
from connectors.exchanges.base import (
    BookBroken,
    Channel,
    Ignored,
    Item,
    ReconnectRequest,
    Subscription,
    VenueError,
)
from connectors.exchanges.tolerant import (
    TolerantParser,
    TradeFields,
    chunks,
    encode,
    minute,
    ohlc,
    side,
    top,
)

CHANNELS: Final[dict[Channel, str]] = {
    "trades": "trades", "quotes": "bbo-tbt", "books": "books", "candles": "candle1m"
}  # fmt: skip
CHANNEL_OF: Final = {name: channel for channel, name in CHANNELS.items()}
ARGS_PER_FRAME: Final = 50
_NAMED = re.compile(r"channel:\s*([\w-]+),\s*instId:\s*([\w-]+)")


class OkxParser(TolerantParser):
    """One connection."""

    venue = "okx"
    pong = b"pong"

    def channels(self) -> Mapping[Channel, str]:
        """See `TolerantParser.channels`."""
        return CHANNELS

    def request(self, added: bool, subscriptions: list[Subscription]) -> list[bytes]:
        """Return requests of so many arguments; each argument is confirmed by itself."""
        frames = []
        for part in chunks(subscriptions, ARGS_PER_FRAME):
            args = [{"channel": CHANNELS[c], "instId": self.natives[symbol]} for c, symbol in part]
            number = str(self.numbered(added, part))
            operation = "subscribe" if added else "unsubscribe"
            frames.append(encode({"id": number, "op": operation, "args": args}))
        return frames

    def keepalive_frame(self) -> bytes:
        """Return the text that OKX answers with ``pong``."""
        return b"ping"

    def read(self, message: object, frame: bytes, ts_recv: int) -> list[Item]:
        """See `TolerantParser.read`."""
        fields = checks.mapping(message, "frame")
        if "event" in fields:
            return [self._event(fields)]
        arg = checks.mapping(fields.get("arg"), "arg")
        name, native = arg.get("channel"), arg.get("instId")
        channel = CHANNEL_OF.get(name) if isinstance(name, str) else None
        if channel is None:
            return [Ignored(checks.clean(name, 40))]
        rows = checks.items(fields.get("data"), "data")
        broken: list[Item] = []

        def one(row: Any, native: str) -> Item:
            if channel == "candles":
                return candle(self, native, row, ts_recv)
            row = checks.mapping(row, "data")
            if channel == "trades":
                return self.trade(native, trade_fields(row), ts_recv)
            head = self.head(native, _millis(row.get("ts")), ts_recv)
            bids, asks = levels(row.get("bids"), "bids"), levels(row.get("asks"), "asks")
            if channel == "quotes":
                return top(head, bids, asks, checks.integer(row.get("seqId"), "seqId"))
            return self._book(head, fields.get("action"), bids, asks, row, broken)

        return [*self.parts(channel, native, rows, one, frame), *broken]

    def _book(
        self,
        head: checks.Head,
        action: object,
        bids: list[Level],
        asks: list[Level],
        row: dict[str, Any],
        broken: list[Item],
    ) -> BookUpdate:
        if action not in ("snapshot", "update"):
            raise checks.Reject("malformed", f"action of a book: {checks.shown(action)}")
        if "seqId" not in row:
            return self.book(head, action == "snapshot", bids, asks)
        sequence, told = checks.integer(row["seqId"], "seqId"), row.get("prevSeqId")
        unknown = action == "snapshot" or told in (None, -1)
        previous = -1 if unknown else checks.integer(told, "prevSeqId")
        if sequence < previous:
            broken.append(BookBroken(head[1], f"seqId went back from {previous} to {sequence}"))
            previous = -1
        return BookUpdate(*head, action == "snapshot", bids, asks, sequence, previous, 1)

    def _event(self, fields: dict[str, Any]) -> Item:
        event = fields.get("event")
        if event in ("subscribe", "unsubscribe"):
            found = self._named(fields.get("arg"))
            if found is None:
                return Ignored(f"confirmation of {checks.shown(fields.get('arg'))}")
            return self.confirmed(event == "subscribe", [found])
        text = checks.clean(fields.get("msg", ""))
        if event == "notice":
            return ReconnectRequest(text)
        if event != "error":
            return Ignored(checks.clean(event, 40))
        named = [
            self._named({"channel": one[1], "instId": one[2]}) for one in _NAMED.finditer(text)
        ]
        rejected = tuple(one for one in named if one is not None)
        return VenueError(checks.clean(fields.get("code", "")), text, rejected)

    def _named(self, arg: object) -> Subscription | None:
        if not isinstance(arg, dict):
            return None
        channel, symbol = (
            CHANNEL_OF.get(str(arg.get("channel"))),
            self.symbols.get(str(arg.get("instId"))),
        )
        return Subscription(channel, symbol) if channel and symbol else None


def _millis(value: object) -> int:
    return checks.integer(value, "ts", "time") * 1000


def levels(value: object, name: str) -> list[Level]:
    """Return one side from ``[["price","size","0","orders"]]``."""
    found = []
    for level in checks.items(value, name):
        if not isinstance(level, list) or len(level) < 2:
            raise checks.Reject("malformed", f"{name} holds no level: {checks.shown(level)}")
        found.append((checks.price(level[0], zero=True), checks.size(level[1], zero=True)))
    return found


def trade_fields(row: Mapping[str, Any]) -> TradeFields:
    """Read a trade of the socket or a row of REST: they have the same names."""
    number = checks.integer(row.get("tradeId"), "tradeId", "trade_id")
    price, size = checks.price(row.get("px")), checks.size(row.get("sz"))
    return _millis(row.get("ts")), str(number), number, price, size, side(row.get("side"))


def candle(parser: OkxParser, native: str, row: object, ts_recv: int) -> Candle:
    """Read ``[ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]``; spot's vol is in base."""
    bar = checks.items(row, "candle")
    if len(bar) < 9:
        raise checks.Reject("malformed", f"no candle: {checks.shown(bar)}")
    begin = _millis(bar[0])
    prices = ohlc(*bar[1:5])
    volume, quote = checks.volume(bar[5], "vol"), checks.volume(bar[7], "volCcyQuote")
    head = parser.head(native, None, ts_recv)
    return Candle(*head, "1m", *minute(begin), *prices, volume, quote, None, bar[8] == "1")
