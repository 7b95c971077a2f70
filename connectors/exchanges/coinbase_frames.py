"""Coinbase frames as typed structs, and the fields of their parts.

Only what events need is declared; the decoders skip the rest.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from connectors.decimals import LEVEL_PRICES, LEVEL_SIZES
from connectors.events import Candle, Level, Side
from connectors.exchanges import checks

AGGRESSOR: Final[dict[object, Side]] = {"BUY": "sell", "SELL": "buy"}
"""By the maker's side."""

_known_prices, _known_sizes = LEVEL_PRICES.known, LEVEL_SIZES.known
_Sequence = Annotated[int, Meta(ge=0, lt=checks.MAX_ID)]


class TradeWire(Struct, gc=False):
    """A trade of ``market_trades``; ``side`` is the maker's."""

    product_id: str
    trade_id: str
    price: str
    size: str
    time: str
    side: str


class TradesEvent(Struct, gc=False):
    """A snapshot or an update."""

    trades: list[TradeWire]


class TradesFrame(Struct, gc=False):
    """``market_trades``."""

    channel: Literal["market_trades"]
    sequence_num: _Sequence
    events: list[TradesEvent]


class Ticker(Struct, gc=False):
    """A product's best bid and ask."""

    product_id: str
    best_bid: str
    best_ask: str
    best_bid_quantity: str
    best_ask_quantity: str


class TickerEvent(Struct, gc=False):
    """A snapshot or an update."""

    tickers: list[Ticker]


class TickerFrame(Struct, gc=False):
    """``ticker``."""

    channel: Literal["ticker"]
    timestamp: str
    sequence_num: _Sequence
    events: list[TickerEvent]


class LevelWire(Struct, gc=False):
    """A level whose size is now ``new_quantity``."""

    side: Literal["bid", "offer"]
    price_level: str
    new_quantity: str


class BookEvent(Struct, gc=False):
    """A product's whole book, or its changes."""

    type: Literal["snapshot", "update"]
    product_id: str
    updates: list[LevelWire]


class BookFrame(Struct, gc=False):
    """``l2_data``."""

    channel: Literal["l2_data"]
    timestamp: str
    sequence_num: _Sequence
    events: list[BookEvent]


decode_trades = msgspec.json.Decoder(TradesFrame).decode
decode_tickers = msgspec.json.Decoder(TickerFrame).decode
decode_books = msgspec.json.Decoder(BookFrame).decode


def trade_fields(fields: dict[str, object]) -> tuple[str, int, str, str, Side]:
    """Return what follows the common fields of a Trade, from a frame or a REST row."""
    number = checks.integer(fields.get("trade_id"), "trade_id", "trade_id")
    maker = fields.get("side")
    if not isinstance(maker, str):
        raise checks.Reject("malformed", f"side is no text: {checks.shown(maker)}")
    return (
        str(number),
        number,
        checks.price(fields.get("price")),
        checks.size(fields.get("size")),
        AGGRESSOR.get(maker.upper(), "unknown"),
    )


def sides_of(updates: list[LevelWire]) -> tuple[list[Level], list[Level]] | None:
    """Return bids and asks, or None where a number does not fit."""
    bids: list[Level] = []
    asks: list[Level] = []
    for level in updates:
        price, size = level.price_level, level.new_quantity
        if not (
            (price in _known_prices or price in LEVEL_PRICES)
            and (size in _known_sizes or size in LEVEL_SIZES)
        ):
            return None
        (bids if level.side == "bid" else asks).append((price, size))
    return bids, asks


def checked_sides(updates: list[object]) -> tuple[list[Level], list[Level]]:
    """Return bids and asks of decoded levels. Reject names what is wrong."""
    sides: dict[object, list[Level]] = {"bid": [], "offer": []}
    for update in updates:
        level = checks.mapping(update, "level")
        side = level.get("side")
        if side != "bid" and side != "offer":
            raise checks.Reject("malformed", f"side of a level: {checks.shown(side)}")
        price = checks.price(level.get("price_level"), zero=True)
        sides[side].append((price, checks.size(level.get("new_quantity"), zero=True)))
    return sides["bid"], sides["offer"]


def candle(head: checks.Head, fields: dict[str, object]) -> Candle:
    """Read a bar of five minutes; Coinbase does not say whether it is closed, the next one does."""
    start = checks.integer(fields.get("start"), "start", "time")
    if not 0 < start < 2**40:
        raise checks.Reject("time", f"start of a candle: {start}")
    return Candle(
        *head,
        "5m",
        start * 1_000_000,
        (start + 300) * 1_000_000 - 1000,
        checks.price(fields.get("open"), "open"),
        checks.price(fields.get("high"), "high"),
        checks.price(fields.get("low"), "low"),
        checks.price(fields.get("close"), "close"),
        checks.volume(fields.get("volume"), "volume"),
        None,
        None,
        False,
    )
