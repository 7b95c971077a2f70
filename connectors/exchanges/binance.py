"""Binance spot: addresses, limits and REST answers. Its frames are read by `binance_parser`.

Sources: binance-spot-api-docs, web-socket-streams.md and rest-api.md (2026-07).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from connectors import symbols as names
from connectors.events import SCHEMA_VERSION, BookUpdate, Trade
from connectors.exchanges import checks
from connectors.exchanges.base import (
    MAX_FUTURE,
    DeadLetter,
    Instrument,
    Limits,
    ResponseError,
    Subscription,
    Venue,
    Wanted,
)
from connectors.exchanges.binance_frames import trade_fields
from connectors.exchanges.binance_parser import NAME, BinanceParser
from connectors.exchanges.paged import listing, trade_page
from connectors.exchanges.tolerant import TradeFields

PAGE = 1000
"""Most trades of one answer."""
BOOK_LEVELS = 5000
"""Of each side; levels beyond are unknown until they change. Weighs 250 of 6,000 a minute."""


class Binance(Venue):
    """Binance spot. Trade ids rise by one per symbol."""

    name = NAME
    limits: ClassVar[Limits] = Limits(
        subscriptions=1024,
        messages_per_second=4.0,  # 5 are allowed, and pongs count
        silence=60.0,
        stale={"trades": 60.0, "quotes": 30.0, "books": 30.0, "candles": 10.0},
        renew=23 * 3600.0,  # cut at 24 h
        ping_interval=None,  # the server pings every 20 s
        ping_timeout=60.0,
        rest_interval=0.3,  # historicalTrades weighs 25 of 6,000 a minute
        rest_burst=40,
    )

    def native_symbol(self, symbol: str) -> str:
        """Return ``BTCUSDT`` for ``BTC-USDT``."""
        return names.join(symbol)

    def ws_url(self, subscriptions: Sequence[Subscription], base: str) -> str:
        """Return the address of the combined stream; subscriptions follow as requests."""
        return f"{base.rstrip('/')}/stream"

    def parser(
        self, instruments: Iterable[Instrument], source: str, max_future: int = MAX_FUTURE
    ) -> BinanceParser:
        """Return the protocol state of a new connection."""
        return BinanceParser(instruments, source, max_future)

    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL of ``exchangeInfo`` for these symbols."""
        natives = ",".join(f'"{self.native_symbol(symbol)}"' for symbol in symbols)
        return f"{rest_base.rstrip('/')}/api/v3/exchangeInfo?symbols={quote(f'[{natives}]')}"

    def parse_instruments(self, body: bytes, symbols: Sequence[str]) -> list[Instrument]:
        """Read ``exchangeInfo``: tick from PRICE_FILTER, lot from LOT_SIZE."""
        by_native = {str(row.get("symbol")): row for row in checks.rows(body, "symbols", NAME)}
        return listing(self, by_native, symbols, _steps)

    def catalogue_request(self, rest_base: str) -> str:
        """Return the URL of ``exchangeInfo`` for all of spot."""
        return f"{rest_base.rstrip('/')}/api/v3/exchangeInfo?permissions=SPOT"

    def catalogue(self, body: bytes) -> list[str]:
        """Read its symbols."""
        return [str(row.get("symbol")) for row in checks.rows(body, "symbols", NAME)]

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL of the oldest page of the range (``historicalTrades`` ascends)."""
        from_id, to_id, _ = wanted
        limit = PAGE if to_id is None else max(1, min(PAGE, to_id - from_id + 1))
        query = {"symbol": instrument.native_symbol, "fromId": from_id, "limit": limit}
        return f"{rest_base.rstrip('/')}/api/v3/historicalTrades?{urlencode(query)}"

    def parse_trades(
        self,
        body: bytes,
        instrument: Instrument,
        ts_recv: int,
        source: str,
        max_future: int = MAX_FUTURE,
    ) -> list[Trade | DeadLetter]:
        """Read ``historicalTrades`` rows: id, price, qty, time (ms), isBuyerMaker."""
        rows = checks.rows(body, None, NAME)
        return trade_page(rows, _trade, NAME, instrument, ts_recv, source, max_future)

    def rest_of_range(self, page: Sequence[Trade | DeadLetter], wanted: Wanted) -> Wanted | None:
        """Return what follows the page's last trade. Up to now: a page not full is the end."""
        from_id, to_id, since = wanted
        last = max((one.trade_seq for one in page if isinstance(one, Trade)), default=-1)
        if last < from_id or (last >= to_id if to_id is not None else len(page) < PAGE):
            return None
        return Wanted(last + 1, to_id, since)

    def book_request(self, instrument: Instrument, rest_base: str) -> str:
        """Return the URL of the deepest book there is."""
        query = {"symbol": instrument.native_symbol, "limit": BOOK_LEVELS}
        return f"{rest_base.rstrip('/')}/api/v3/depth?{urlencode(query)}"

    def parse_book(
        self, body: bytes, instrument: Instrument, ts_recv: int, source: str
    ) -> BookUpdate:
        """Read ``depth``; ``lastUpdateId`` is the ``u`` of the last update in it. It has no time.

        The stream's updates join it where they contain ``lastUpdateId + 1``.
        """
        try:
            answer = checks.mapping(checks.decoded(body), "answer")
            sequence = checks.integer(answer.get("lastUpdateId"), "lastUpdateId")
            bids = checks.levels(answer.get("bids"), "bids")
            asks = checks.levels(answer.get("asks"), "asks")
        except checks.Reject as reject:
            shown = checks.shown(body, 300)
            raise ResponseError(f"{NAME}: {reject.detail}; the answer: {shown}") from reject
        symbol, native = instrument.symbol, instrument.native_symbol
        head: checks.Head = (
            NAME,
            symbol,
            native,
            ts_recv,
            ts_recv,
            source,
            "receipt",
            SCHEMA_VERSION,
        )
        return BookUpdate(*head, True, bids, asks, sequence, -1, 1)


def _steps(row: Mapping[str, Any]) -> tuple[object, object]:
    filters = checks.items(row.get("filters"), "filters")
    tick = _filter(filters, "PRICE_FILTER", "tickSize")
    return tick, _filter(filters, "LOT_SIZE", "stepSize")


def _filter(filters: list[object], kind: str, name: str) -> object:
    for one in filters:
        if isinstance(one, dict) and one.get("filterType") == kind:
            return one.get(name)
    raise checks.Reject("malformed", f"no {kind}")


def _trade(row: Any) -> TradeFields:
    time = checks.integer(row.get("time"), "time", "time") * 1000
    return time, *trade_fields(row, "id", "price", "qty", "isBuyerMaker")
