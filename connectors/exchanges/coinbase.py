"""Coinbase Advanced Trade: addresses, limits and REST answers. `coinbase_parser` reads its frames.

Sources: Coinbase developer documentation, Advanced Trade (products) and Exchange (trades by id),
2026. Both APIs show the same market with the same trade ids; only the Exchange API pages by id.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from connectors import symbols as names
from connectors.events import Trade
from connectors.exchanges import checks
from connectors.exchanges.base import (
    MAX_FUTURE,
    DeadLetter,
    Instrument,
    Limits,
    Subscription,
    Venue,
    Wanted,
)
from connectors.exchanges.coinbase_frames import trade_fields
from connectors.exchanges.coinbase_parser import NAME, CoinbaseParser
from connectors.exchanges.paged import listing, trade_page
from connectors.exchanges.tolerant import TradeFields

PAGE = 1000
"""Most trades of one answer."""


class Coinbase(Venue):
    """Coinbase Advanced Trade. Trade ids rise by one per product."""

    name = NAME
    limits: ClassVar[Limits] = Limits(
        subscriptions=1000,
        messages_per_second=7.0,  # 8 are allowed
        silence=10.0,  # a heartbeat comes every second
        stale={"trades": 60.0, "quotes": 30.0, "books": 30.0, "candles": 60.0},
        renew=23 * 3600.0,
        ping_interval=20.0,
        ping_timeout=20.0,
        rest_interval=0.15,  # 10 a second are allowed, 15 in a burst
        rest_burst=8,
    )

    def native_symbol(self, symbol: str) -> str:
        """Return ``BTC-USD`` for ``BTC-USD``, if it is a symbol."""
        return names.join(symbol, "-")

    def ws_url(self, subscriptions: Sequence[Subscription], base: str) -> str:
        """Return the address; subscriptions follow as requests."""
        return base

    def parser(
        self, instruments: Iterable[Instrument], source: str, max_future: int = MAX_FUTURE
    ) -> CoinbaseParser:
        """Return the protocol state of a new connection."""
        return CoinbaseParser(instruments, source, max_future)

    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL of Advanced Trade's public product list."""
        wanted = "&".join(f"product_ids={quote(self.native_symbol(one))}" for one in symbols)
        return f"{rest_base.rstrip('/')}/api/v3/brokerage/market/products?{wanted}"

    def parse_instruments(self, body: bytes, symbols: Sequence[str]) -> list[Instrument]:
        """Read the product list: tick is ``price_increment``, lot is ``base_increment``."""
        by_native = {str(row.get("product_id")): row for row in checks.rows(body, "products", NAME)}
        return listing(self, by_native, symbols, _steps)

    def catalogue(self, body: bytes) -> list[str]:
        """Read the product list's ids."""
        return [str(row.get("product_id")) for row in checks.rows(body, "products", NAME)]

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL of the newest page of the range: ``after`` means ids below it.

        ``rest_base`` is the Exchange API's.
        """
        from_id, to_id, _ = wanted
        limit = PAGE if to_id is None else max(1, min(PAGE, to_id - from_id + 1))
        query = {"limit": limit} if to_id is None else {"limit": limit, "after": to_id + 1}
        product = quote(instrument.native_symbol)
        return f"{rest_base.rstrip('/')}/products/{product}/trades?{urlencode(query)}"

    def parse_trades(
        self,
        body: bytes,
        instrument: Instrument,
        ts_recv: int,
        source: str,
        max_future: int = MAX_FUTURE,
    ) -> list[Trade | DeadLetter]:
        """Read rows of time, trade_id, price, size and side (the maker's), newest first."""
        rows = checks.rows(body, None, NAME)
        return trade_page(rows, _trade, NAME, instrument, ts_recv, source, max_future)

    def rest_of_range(self, page: Sequence[Trade | DeadLetter], wanted: Wanted) -> Wanted | None:
        """Return what precedes the page's first trade; an empty page is the end."""
        from_id, to_id, since = wanted
        first = min((one.trade_seq for one in page if isinstance(one, Trade)), default=-1)
        if first <= from_id or (to_id is not None and first > to_id):
            return None
        return Wanted(from_id, first - 1, since)


def _steps(row: Mapping[str, Any]) -> tuple[object, object]:
    return row.get("price_increment") or row.get("quote_increment"), row.get("base_increment")


def _trade(row: Any) -> TradeFields:
    return checks.iso(row.get("time")), *trade_fields(row)
