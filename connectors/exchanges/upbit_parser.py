"""Upbit (KRW, BTC and USDT markets), WebSocket API v1 in its SIMPLE format, and REST.

Sources: docs.upbit.com (2026) [candle names from memory]; recorded frames of 2021-04.

    [{"ticket":"1"},{"format":"SIMPLE"},{"type":"trade","codes":["KRW-BTC"]}]
    {"ty":"trade","cd":"KRW-BTC","ttms":1618678262000,"tp":70000000.0,"tv":0.01,"ab":"BID",
     "sid":1618678262000000,"tms":1618678262712,"st":"REALTIME"}

Meanings: frames are binary with JSON in them; a request replaces the one before, so each names the
whole set; nothing confirms it. Markets are named quote first. Numbers are JSON numbers whose digits
are kept, some with exponents. ``ab`` BID means that the taker bought; ``sid`` rises per market.
An ``orderbook`` frame is a whole book of at most 30 levels; its best ones are our quotes. Text
``PING`` is answered ``{"status":"UP"}``.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors.events import Candle, Level, Side
from connectors.exchanges import checks
from connectors.exchanges.base import (
    Channel,
    Ignored,
    Item,
    Subscription,
    VenueError,
    VenueHeartbeat,
)
from connectors.exchanges.tolerant import TolerantParser, TradeFields, encode, minute, ohlc

TYPES: Final[dict[Channel, str]] = {
    "trades": "trade", "quotes": "orderbook", "books": "orderbook", "candles": "candle.1m"
}  # fmt: skip
AGGRESSOR: Final[dict[object, Side]] = {"BID": "buy", "ASK": "sell"}


class UpbitParser(TolerantParser):
    """One connection: knows the whole set it asked for."""

    venue = "upbit"
    numbers = True

    def channels(self) -> Mapping[Channel, str]:
        """See `TolerantParser.channels`."""
        return TYPES

    def request(self, added: bool, subscriptions: list[Subscription]) -> list[bytes]:
        """Return one request for all that is wanted now; none where nothing is."""
        wanted = self.wanted | set(subscriptions) if added else self.wanted
        codes: dict[str, set[str]] = {}
        for channel, symbol in wanted:
            codes.setdefault(TYPES[channel], set()).add(self.natives[symbol])
        if not codes:
            return []
        ticket = {"ticket": str(self.numbered(added, subscriptions))}
        kinds = [{"type": kind, "codes": sorted(codes[kind])} for kind in sorted(codes)]
        return [encode([ticket, {"format": "SIMPLE"}, *kinds])]

    def keepalive_frame(self) -> bytes:
        """Return the text that keeps a quiet connection open (cut after 120 s)."""
        return b"PING"

    def read(self, message: object, frame: bytes, ts_recv: int) -> list[Item]:
        """See `TolerantParser.read`."""
        fields = checks.mapping(message, "frame")
        if fields.get("status") == "UP":
            return [VenueHeartbeat()]
        if "error" in fields:
            return [self._refused(fields["error"])]
        return self._data(fields, frame, ts_recv)

    def _data(self, fields: dict[str, Any], frame: bytes, ts_recv: int) -> list[Item]:
        kind, native = checks.text(fields.get("ty"), "ty"), fields.get("cd")
        if kind == "trade":

            def trade(row: Any, native: str) -> Item:
                return self.trade(native, trade_fields(row), ts_recv)

            return self.parts("trades", native, [fields], trade, frame)
        if kind.startswith("candle."):

            def bar(row: Any, native: str) -> Item:
                return candle(self.head(native, _ms(row), ts_recv), row)

            return self.parts("candles", native, [fields], bar, frame)
        if kind != "orderbook":
            return [Ignored(checks.clean(kind, 40))]

        def book(row: Any, native: str) -> list[Item]:
            bids, asks = levels(row.get("obu"))
            return self.whole_book(self.head(native, _ms(row), ts_recv), bids, asks)

        return self.parts("books", native, [fields], book, frame)

    def _refused(self, error: object) -> VenueError:
        parts = error if isinstance(error, dict) else {"message": error}
        text = checks.clean(parts.get("message", ""))
        words = set(text.replace(",", " ").replace("[", " ").replace("]", " ").split())
        rejected = (one for one in sorted(self.wanted) if self.natives[one.symbol] in words)
        return VenueError(checks.clean(parts.get("name", "")), text, tuple(rejected))


def _ms(row: Mapping[str, Any]) -> int:
    return checks.integer(row.get("tms"), "tms", "time") * 1000


def levels(value: object) -> tuple[list[Level], list[Level]]:
    """Return bids and asks from ``[{"bp":..,"bs":..,"ap":..,"as":..}]``; empty ones left out."""
    sides: tuple[list[Level], list[Level]] = [], []
    for one in checks.items(value, "obu"):
        unit = checks.mapping(one, "obu")
        for side, price, size in ((sides[0], "bp", "bs"), (sides[1], "ap", "as")):
            level = (
                checks.price(checks.number(unit.get(price)), price, zero=True),
                checks.size(checks.number(unit.get(size)), size, zero=True),
            )
            if level[0].strip("0.") and level[1].strip("0."):
                side.append(level)
    return sides


def trade_fields(row: Mapping[str, Any], names: str = "sid ttms tp tv ab") -> TradeFields:
    """Read a trade of the socket, or of REST by its longer ``names``."""
    seq, time, price, size, taker = names.split()
    number = checks.integer(row.get(seq), seq, "trade_id")
    return (
        checks.integer(row.get(time), time, "time") * 1000,
        str(number),
        number,
        checks.price(checks.number(row.get(price))),
        checks.size(checks.number(row.get(size))),
        AGGRESSOR.get(row.get(taker), "unknown") if isinstance(row.get(taker), str) else "unknown",
    )


def candle(head: checks.Head, row: Mapping[str, Any]) -> Candle:
    """Read a bar; Upbit does not say whether it is closed, the next one does."""
    begin = checks.iso(f"{row.get('cdttmu')}Z", "cdttmu")
    interval = str(row["ty"]).removeprefix("candle.")
    if interval != "1m":
        raise checks.Reject("malformed", f"no candle of a minute: {checks.shown(interval)}")
    prices = ohlc(*(row.get(k) for k in ("op", "hp", "lp", "tp")))
    volume = checks.volume(checks.number(row.get("catv")), "catv")
    quote = checks.volume(checks.number(row.get("catp")), "catp")
    return Candle(*head, interval, *minute(begin), *prices, volume, quote, None, False)
