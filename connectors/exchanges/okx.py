"""OKX spot: addresses, limits and REST answers. `okx_parser` reads its frames."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from connectors import symbols as names
from connectors.decimals import SIZES
from connectors.exchanges.base import (
    Instrument,
    Limits,
    Numbering,
    Subscription,
    Wanted,
)
from connectors.exchanges.okx_parser import OkxParser, trade_fields
from connectors.exchanges.paged import PagedVenue, objects
from connectors.exchanges.tolerant import (
    TradeFields,
)


class Okx(PagedVenue):
    """OKX spot. Trade ids rise; REST pages by id, newest first."""

    name = "okx"
    numbering: ClassVar[Numbering] = "rising"
    parser_type = OkxParser
    page = 1  # rows are put together, so only an empty page is surely the last
    limits: ClassVar[Limits] = Limits(
        subscriptions=240,  # 480 subscribe, unsubscribe and login requests an hour
        messages_per_second=3.0,
        silence=35.0,  # cut after 30 s without a frame; the ping's answer comes before
        stale={"trades": 120.0, "quotes": 30.0, "books": 30.0, "candles": 120.0},
        renew=23 * 3600.0,
        ping_interval=None,
        ping_timeout=20.0,
        rest_interval=0.15,  # 20 in 2 s for history-trades
        rest_burst=10,
        keepalive=20.0,
        connects_per_minute=60.0,  # 3 a second per IP are allowed
    )

    def native_symbol(self, symbol: str) -> str:
        """Return ``BTC-USDT`` for ``BTC-USDT``, if it is a symbol."""
        return names.join(symbol, "-")

    def ws_url(self, subscriptions: Sequence[Subscription], base: str) -> str:
        """Return the public or the business address. ValueError where both would be needed."""
        kinds = {channel == "candles" for channel, _ in subscriptions}
        if len(kinds) > 1:
            raise ValueError("okx serves candles at another address: run them as a feed of its own")
        return f"{base.rstrip('/')}/ws/v5/{'business' if True in kinds else 'public'}"

    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL of all spot instruments."""
        return f"{rest_base.rstrip('/')}/api/v5/public/instruments?instType=SPOT"

    def listed(self, body: bytes) -> dict[str, dict[str, Any]]:
        """Return rows by ``instId``."""
        return {str(row.get("instId")): row for row in objects(body, self.name, "data")}

    def steps(self, row: Mapping[str, Any]) -> tuple[object, object]:
        """Return ``tickSz`` and ``lotSz``."""
        return row.get("tickSz"), row.get("lotSz")

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL of the newest page of the range: ``after`` means ids below it."""
        query: dict[str, object] = {"instId": instrument.native_symbol, "type": 1, "limit": 100}
        if wanted.to_id is not None:
            query["after"] = wanted.to_id + 1
        return f"{rest_base.rstrip('/')}/api/v5/market/history-trades?{urlencode(query)}"

    def trade_rows(self, body: bytes) -> list[Any]:
        """Return fills put together as the socket does; the cut oldest group of a full page not."""
        rows = objects(body, self.name, "data")[::-1]
        groups: list[list[dict[str, Any]]] = []
        for row in rows:
            if groups and all(groups[-1][-1].get(k) == row.get(k) for k in ("ts", "px", "side")):
                groups[-1].append(row)
            else:
                groups.append([row])
        if len(rows) >= 100:
            del groups[0]
        return [group[-1] | {"sz": _sum(group)} if group[1:] else group[0] for group in groups]

    def trade_fields(self, row: Any) -> TradeFields:
        """Read a REST row."""
        return trade_fields(row)


def _sum(group: list[dict[str, Any]]) -> object:
    sizes = [row.get("sz") for row in group]
    if not all(isinstance(size, str) and size in SIZES for size in sizes):
        return None
    return f"{sum(Decimal(str(size)) for size in sizes):f}"
