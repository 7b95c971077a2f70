"""Bybit spot: addresses, limits and REST answers. `bybit_parser` reads its frames."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from connectors import symbols as names
from connectors.events import Trade
from connectors.exchanges.base import (
    DeadLetter,
    Instrument,
    Limits,
    Numbering,
    Wanted,
)
from connectors.exchanges.bybit_parser import BybitParser, trade_fields
from connectors.exchanges.paged import PagedVenue, objects, with_ordinals
from connectors.exchanges.tolerant import TradeFields


class Bybit(PagedVenue):
    """Bybit spot. REST gives the last 60 trades and no page before them."""

    name = "bybit"
    numbering: ClassVar[Numbering] = "composed"
    parser_type = BybitParser
    path = "/v5/public/spot"
    page = 60
    limits: ClassVar[Limits] = Limits(
        subscriptions=400,
        messages_per_second=5.0,  # not documented; polite. 10 args a request: a symbol has 4
        silence=30.0,  # our ping of every 20 s is answered
        stale={"trades": 120.0, "quotes": 30.0, "books": 30.0, "candles": 120.0},
        renew=23 * 3600.0,
        ping_interval=None,
        ping_timeout=20.0,
        rest_interval=0.1,  # 600 in 5 s per IP
        rest_burst=40,
        keepalive=20.0,
        connects_per_minute=60.0,  # 500 in 5 minutes are allowed
    )

    def native_symbol(self, symbol: str) -> str:
        """Return ``BTCUSDT`` for ``BTC-USDT``."""
        return names.join(symbol)

    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL of all spot instruments."""
        base = rest_base.rstrip("/")
        return f"{base}/v5/market/instruments-info?category=spot&status=Trading&limit=1000"

    def listed(self, body: bytes) -> dict[str, dict[str, Any]]:
        """Return rows by ``symbol``."""
        return {str(row.get("symbol")): row for row in objects(body, self.name, "result", "list")}

    def steps(self, row: Mapping[str, Any]) -> tuple[object, object]:
        """Return ``tickSize`` and ``basePrecision``."""
        prices, lots = row.get("priceFilter"), row.get("lotSizeFilter")
        return (
            prices.get("tickSize") if isinstance(prices, dict) else None,
            lots.get("basePrecision") if isinstance(lots, dict) else None,
        )

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL of the newest trades, whatever is wanted: there is no paging."""
        query = {"category": "spot", "symbol": instrument.native_symbol, "limit": self.page}
        return f"{rest_base.rstrip('/')}/v5/market/recent-trade?{urlencode(query)}"

    def trade_rows(self, body: bytes) -> list[Any]:
        """Return rows with their ``ordinal``."""
        rows = objects(body, self.name, "result", "list")
        return with_ordinals(rows, lambda row: row.get("seq"), full=len(rows) >= self.page)

    def trade_fields(self, row: Any) -> TradeFields:
        """Read a REST row."""
        return trade_fields(row, "time", "price", "size", "side", "execId", row["ordinal"])

    def rest_of_range(self, page: Sequence[Trade | DeadLetter], wanted: Wanted) -> Wanted | None:
        """Return None: there is no page before the newest."""
        return None
