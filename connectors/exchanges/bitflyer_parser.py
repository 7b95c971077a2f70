"""bitFlyer Lightning, JSON-RPC over WebSocket and HTTP API v1.

Sources: bf-lightning-api.readme.io, lightning.bitflyer.com/docs (2026); recorded frames of 2021-12.

    {"jsonrpc":"2.0","method":"subscribe","params":{"channel":"lightning_executions_BTC_JPY"},"id":1}
    {"jsonrpc":"2.0","id":1,"result":true}
    {"jsonrpc":"2.0","method":"channelMessage","params":{"channel":"lightning_executions_BTC_JPY",
     "message":[{"id":2084881071,"side":"BUY","price":2509125.0,"size":0.005,
     "exec_date":"2020-12-25T21:36:22.8840579Z"}]}}

Meanings: numbers are JSON numbers whose digits are kept; ``side`` is the taker's, empty in auctions
(unknown); execution ids rise over all products, so per product with holes; times have seven digits,
the last is cut off, and REST leaves out the Z. Boards have no time and no number: a book is two
channels, whole boards now and then and changes between, counted by us; changes at price 0 (orders
of an auction) are no levels. FX_BTC_JPY is ``BTC-JPY-FX`` here. There are no candles.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors.events import Level, Quote
from connectors.exchanges import checks
from connectors.exchanges.base import (
    Channel,
    Ignored,
    Item,
    Subscription,
    VenueError,
)
from connectors.exchanges.tolerant import TolerantParser, TradeFields, encode, side

CHANNELS: Final[dict[Channel, tuple[str, ...]]] = {
    "trades": ("lightning_executions_",),
    "quotes": ("lightning_ticker_",),
    # Changes first: none may be missed between a whole board and the first change after it.
    "books": ("lightning_board_", "lightning_board_snapshot_"),
}
KINDS: Final = ("lightning_executions_", "lightning_ticker_", "lightning_board_snapshot_",
                "lightning_board_")  # fmt: skip


class BitflyerParser(TolerantParser):
    """One connection."""

    venue = "bitflyer"
    numbers = True

    def channels(self) -> Mapping[Channel, tuple[str, ...]]:
        """See `TolerantParser.channels`."""
        return CHANNELS

    def request(self, added: bool, subscriptions: list[Subscription]) -> list[bytes]:
        """Return one request per channel name; the last of a subscription confirms it."""
        frames = []
        method = "subscribe" if added else "unsubscribe"
        for one in subscriptions:
            prefixes = CHANNELS[one.channel]
            for prefix in prefixes:
                number = self.numbered(added, [one] if prefix == prefixes[-1] else [])
                params = {"channel": prefix + self.natives[one.symbol]}
                request = {"jsonrpc": "2.0", "method": method, "params": params, "id": number}
                frames.append(encode(request))
        return frames

    def read(self, message: object, frame: bytes, ts_recv: int) -> list[Item]:
        """See `TolerantParser.read`. A batch is read answer by answer."""
        if isinstance(message, list):
            return [item for one in message for item in self._one(one, frame, ts_recv)]
        return self._one(message, frame, ts_recv)

    def _one(self, message: object, frame: bytes, ts_recv: int) -> list[Item]:
        fields = checks.mapping(message, "frame")
        if fields.get("method") != "channelMessage":
            return [self._answer(fields)]
        params = checks.mapping(fields.get("params"), "params")
        name = checks.text(params.get("channel"), "channel")
        kind = next((one for one in KINDS if name.startswith(one)), None)
        if kind is None:
            return [Ignored(checks.clean(name, 60))]
        native, data = name.removeprefix(kind), params.get("message")
        if kind == "lightning_executions_":
            rows = checks.items(data, "message")

            def trade(row: Any, native: str) -> Item:
                return self.trade(native, trade_fields(row), ts_recv)

            return self.parts("trades", native, rows, trade, frame)
        if kind == "lightning_ticker_":

            def quote(row: Any, native: str) -> Item:
                return self._quote(native, row, ts_recv)

            return self.parts("quotes", native, [data], quote, frame)

        def board(row: Any, native: str) -> Item:
            row = checks.mapping(row, "message")
            bids, asks = levels(row.get("bids"), "bids"), levels(row.get("asks"), "asks")
            head = self.head(native, None, ts_recv)
            return self.book(head, kind == "lightning_board_snapshot_", bids, asks)

        return self.parts("books", native, [data], board, frame)

    def _quote(self, native: str, row: Any, ts_recv: int) -> Quote:
        row = checks.mapping(row, "message")
        bid, ask = (checks.number(row.get(f"best_{k}")) for k in ("bid", "ask"))
        bid_size, ask_size = (checks.number(row.get(f"best_{k}_size")) for k in ("bid", "ask"))
        return Quote(
            *self.head(native, utc(row.get("timestamp")), ts_recv),
            checks.price(bid, "best_bid", zero=True),
            checks.size(bid_size, "best_bid_size", zero=True),
            checks.price(ask, "best_ask", zero=True),
            checks.size(ask_size, "best_ask_size", zero=True),
            checks.integer(row.get("tick_id"), "tick_id"),
        )

    def _answer(self, fields: dict[str, Any]) -> Item:
        request = fields.get("id")
        known = isinstance(request, int) and request in self.asked
        added, asked = self.asked[request] if known else (True, ())
        error = fields.get("error")
        if error is not None:
            parts = error if isinstance(error, dict) else {"message": error}
            code, text = (checks.clean(parts.get(k, "")) for k in ("code", "message"))
            return VenueError(code, text, asked)
        if "result" not in fields:
            raise checks.Reject("malformed", f"no message and no answer: {checks.shown(fields)}")
        if fields["result"] is not True:
            return VenueError("", f"result is {checks.shown(fields['result'])}", asked)
        if not asked:
            return Ignored(f"answer to request {checks.shown(request)}")
        return self.confirmed(added, asked)


def utc(value: object) -> int:
    """Return µs of a time, with or without its Z."""
    if isinstance(value, str) and value and value[-1].isdigit():
        value += "Z"
    return checks.iso(value)


def levels(value: object, name: str) -> list[Level]:
    """Return one side from ``[{"price":..,"size":..}]`` without prices of zero."""
    found = []
    for level in checks.items(value, name):
        fields = checks.mapping(level, name)
        price = checks.price(checks.number(fields.get("price")), zero=True)
        size = checks.size(checks.number(fields.get("size")), zero=True)
        if price.strip("0.") != "":
            found.append((price, size))
    return found


def trade_fields(row: Any) -> TradeFields:
    """Read an execution of the socket or of REST: they have the same names."""
    row = checks.mapping(row, "execution")
    number = checks.integer(row.get("id"), "id", "trade_id")
    price, size = checks.number(row.get("price")), checks.number(row.get("size"))
    taker = side(row.get("side"))
    time = utc(row.get("exec_date"))
    return time, str(number), number, checks.price(price), checks.size(size), taker
