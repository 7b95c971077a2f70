"""Binance frames as typed structs, and the fields of their payloads.

Only what events need is declared, under the venue's one-letter names; the decoders skip the rest.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from connectors.events import Candle, Level, Side
from connectors.exchanges import checks
from connectors.exchanges.base import Channel

_Id = Annotated[int, Meta(ge=0, le=checks.MAX_ID)]
_Millis = Annotated[int, Meta(gt=0, le=2**50)]


class TradeWire(Struct, gc=False):
    """``trade``: ``m`` is "the buyer was the maker".

    Binance writes eight decimals, so these lengths leave 9 and 10 digits before the point. Other
    lengths are not wrong, but left to the tolerant path.
    """

    e: Literal["trade"]
    s: str
    t: _Id
    p: Annotated[str, Meta(min_length=10, max_length=18)]
    q: Annotated[str, Meta(min_length=10, max_length=19)]
    T: _Millis
    m: bool


class BookTicker(Struct, gc=False):
    """``bookTicker``: bid, bid size, ask, ask size; only futures send a time."""

    u: _Id
    s: str
    b: str
    B: str
    a: str
    A: str
    T: int | None = None


class Depth(Struct, gc=False):
    """``depthUpdate``: ids ``U``..``u``, bids and asks."""

    e: Literal["depthUpdate"]
    E: _Millis
    s: str
    U: _Id
    u: _Id
    b: list[Level]
    a: list[Level]


class TradeFrame(Struct, gc=False):
    """Envelope of a trade."""

    data: TradeWire


class BookTickerFrame(Struct, gc=False):
    """Envelope of a quote."""

    data: BookTicker


class DepthFrame(Struct, gc=False):
    """Envelope of book changes."""

    data: Depth


decode_trade = msgspec.json.Decoder(TradeFrame).decode
decode_quote = msgspec.json.Decoder(BookTickerFrame).decode
decode_depth = msgspec.json.Decoder(DepthFrame).decode
_PRICE = rb'"[0-9]{1,9}+(?:\.[0-9]{1,10}+)?+"'
_SIZE = rb'"[0-9]{1,10}+(?:\.[0-9]{1,8}+)?+"'
_LEVELS = rb"(?>(?>\[" + _PRICE + rb"," + _SIZE + rb"\],?)*+)"

# The ends of quote and book frames whose numbers fit their columns (`connectors.decimals`), from
# the first number on: one look at the bytes is cheaper than one at each decoded text.
quote_fits = re.compile(
    rb'"b":' + _PRICE + rb',"B":' + _SIZE + rb',"a":' + _PRICE + rb',"A":' + _SIZE + rb"\}\}"
).fullmatch
depth_fits = re.compile(rb'"b":\[' + _LEVELS + rb'\],"a":\[' + _LEVELS + rb"\]\}\}").fullmatch


def channel_of(fields: dict[str, object]) -> Channel | None:
    """Channel of a payload; None for well-formed payloads of other streams."""
    kind = fields.get("e")
    if kind is None and {"u", "s", "b", "B", "a", "A"} <= fields.keys():
        return "quotes"  # spot's bookTicker is the one payload without a type
    if not isinstance(kind, str):
        raise checks.Reject("malformed", f"no event type: {checks.shown(kind)}")
    known: dict[str, Channel] = {
        "trade": "trades",
        "bookTicker": "quotes",
        "depthUpdate": "books",
        "kline": "candles",
    }
    return known.get(kind)


def trade_fields(
    fields: dict[str, object], seq: str, price: str, size: str, buyer_is_maker: str
) -> tuple[str, int, str, str, Side]:
    """Return what follows the common fields of a Trade, from a payload or a REST row."""
    number = checks.integer(fields.get(seq), seq, "trade_id")
    maker = fields.get(buyer_is_maker)
    if not isinstance(maker, bool):
        raise checks.Reject("malformed", f"{buyer_is_maker} is no boolean: {checks.shown(maker)}")
    return (
        str(number),
        number,
        checks.price(fields.get(price)),
        checks.size(fields.get(size)),
        "sell" if maker else "buy",
    )


def candle(head: checks.Head, bar: dict[str, object]) -> Candle:
    """Return the Candle of a ``k`` payload."""
    interval, closed = bar.get("i"), bar.get("x")
    if not isinstance(interval, str) or re.fullmatch("[0-9]{1,2}[smhdwM]", interval) is None:
        raise checks.Reject("malformed", f"no interval: {checks.shown(interval)}")
    if not isinstance(closed, bool):
        raise checks.Reject("malformed", f"x is no boolean: {checks.shown(closed)}")
    return Candle(
        *head,
        interval,
        checks.integer(bar.get("t"), "t", "time") * 1000,
        checks.integer(bar.get("T"), "T", "time") * 1000,
        checks.price(bar.get("o"), "open"),
        checks.price(bar.get("h"), "high"),
        checks.price(bar.get("l"), "low"),
        checks.price(bar.get("c"), "close"),
        checks.volume(bar.get("v"), "volume"),
        checks.volume(bar.get("q"), "quote volume"),
        checks.integer(bar.get("n"), "n"),
        closed,
    )
