"""Normalised market events: what travels in the ``market.*`` topics.

One JSON object a record. Names follow FIX and the exchanges' documentation.

- Times are ``int`` microseconds since the epoch, UTC.
- Prices and sizes are the venue's own decimal text, never floats; SQL reads them as
  ``DECIMAL(19, 10)`` (price) and ``DECIMAL(18, 8)`` (size), so that price x size is exact.
- ``side`` is the aggressor's side (the liquidity taker's), whatever the venue reports.

The structs are frozen; positional construction is the fast path of the parsers, so field order
is part of this module's contract.
"""

from typing import Literal

from msgspec import Struct

SCHEMA_VERSION = 1

Side = Literal["buy", "sell", "unknown"]
TimeSource = Literal["venue", "receipt"]
Level = tuple[str, str]
"""Price and size of one book level, as text; size zero removes the level."""

StatusKind = Literal[
    "connected",
    "disconnected",
    "subscribed",
    "unsubscribed",
    "stale",
    "recovered",
    "gap",
    "resync",
    "skew",
    "dead_letter",
]

OrderStatus = Literal[
    "pending_new", "new", "partially_filled", "filled", "canceled", "rejected", "expired"
]


class MarketEvent(Struct, frozen=True, gc=False):
    """What every event carries."""

    exchange: str
    """Venue id in lower case, for example ``binance``."""
    symbol: str
    """Base and quote joined by a dash, for example ``BTC-USDT``."""
    native_symbol: str
    """The venue's own spelling, for example ``BTCUSDT``."""
    ts_event: int
    """When it happened: the venue's time, or the receipt time where the venue sends none. µs."""
    ts_recv: int
    """When the frame was read from the socket. µs."""
    source: str
    """Id of the connection (or REST client) that brought the event."""
    ts_source: TimeSource
    """Whose clock ``ts_event`` is."""
    schema_version: int


class Trade(MarketEvent, frozen=True, gc=False, tag_field="event_type", tag="trade"):
    """One execution."""

    trade_id: str
    """The venue's id; composed where the venue sends none."""
    trade_seq: int
    """Rises by venue order per exchange and symbol; stable across reconnects."""
    price: str
    size: str
    side: Side


class Quote(MarketEvent, frozen=True, gc=False, tag_field="event_type", tag="quote"):
    """Best bid and ask."""

    bid_price: str
    bid_size: str
    ask_price: str
    ask_size: str
    sequence: int | None


class BookUpdate(MarketEvent, frozen=True, tag_field="event_type", tag="book"):
    """Changed levels of an order book, or all of them when ``is_snapshot``.

    A reader may apply an update only where ``prev_sequence`` equals the ``sequence`` it has.
    """

    is_snapshot: bool
    bids: list[Level]
    asks: list[Level]
    sequence: int
    prev_sequence: int
    merged: int
    """How many venue updates were merged into this one (1: none)."""


class Candle(MarketEvent, frozen=True, gc=False, tag_field="event_type", tag="candle"):
    """The venue's own bar; ``ts_event`` is the time of the message."""

    interval: str
    open_time: int
    close_time: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str | None
    trade_count: int | None
    is_closed: bool


class FeedStatus(MarketEvent, frozen=True, gc=False, tag_field="event_type", tag="status"):
    """The state of a feed, so that "no trades" differs from "no feed".

    ``symbol`` is ``*`` where all symbols of the connection are concerned.
    """

    kind: StatusKind
    channel: str
    """``trades``, ``quotes``, ``books``, or ``*``."""
    cause: str
    """In words: close code, timeout, which limit was hit. ``stale`` and its ``recovered`` begin
    with ``symbol``, ``channel``, ``venue``, ``connection`` or ``book``: see `feed.staleness`."""
    from_id: int | None
    """First id of the range concerned (``gap``: first missing trade_seq or sequence)."""
    to_id: int | None
    """Last id of the range concerned, inclusive; null where it is not known yet."""
    seconds: float | None
    """How long the state has lasted: until now (``stale``) or until its end (``recovered``,
    ``subscribed``). It began so long before ``ts_event``."""


class Heartbeat(MarketEvent, frozen=True, tag_field="event_type", tag="heartbeat"):
    """Moves event time in a partition whose feeds are healthy; ``symbol`` is ``*``.

    ``ts_event`` = last venue time seen + monotonic time since then - margin; never falling.
    """

    last_trade_ids: dict[str, int] | None
    """Once a minute: last published trade_seq of each symbol; otherwise null."""


class OrderEvent(MarketEvent, frozen=True, gc=False, tag_field="event_type", tag="order_status"):
    """What became of one of our own orders; ``ts_event`` is the time of the transaction.

    Sizes are in the base asset, ``filled_value`` in the quote asset; zero where there is none.
    """

    order_id: str
    client_order_id: str
    side: Side
    order_type: str
    """In lower case: ``limit``, ``market``, ``stop_loss_limit`` and so on."""
    time_in_force: str
    status: OrderStatus
    execution: str
    """What this event is about: ``new``, ``trade``, ``canceled``, ``rejected``, ``expired``."""
    price: str
    size: str
    filled_size: str
    """Filled so far."""
    filled_value: str
    last_price: str
    """Of this execution."""
    last_size: str
    trade_id: str | None
    fee: str
    fee_asset: str | None
    reason: str | None
    """Why it was rejected."""
    sequence: int
    """The venue's id of this execution; rises."""


class PositionUpdate(
    MarketEvent, frozen=True, gc=False, tag_field="event_type", tag="position_update"
):
    """The balance of one asset after it changed; ``symbol`` is the asset, for example ``BTC``."""

    free: str
    locked: str
    """Reserved by open orders."""


Event = Trade | Quote | BookUpdate | Candle | FeedStatus | Heartbeat | OrderEvent | PositionUpdate
"""Every event that a ``market.*`` topic may hold."""
