"""GMO Coin: addresses, limits and REST answers. `gmo_parser` reads its frames."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from connectors import symbols as names
from connectors.events import Trade
from connectors.exchanges.base import (
    Channel,
    DeadLetter,
    Instrument,
    Limits,
    Numbering,
    Wanted,
)
from connectors.exchanges.gmo_parser import CHANNELS, GmoParser, trade_fields
from connectors.exchanges.paged import PagedVenue, objects, with_ordinals
from connectors.exchanges.tolerant import TradeFields


class Gmo(PagedVenue):
    """GMO Coin, spot and leverage. REST pages by number, so only the newest page is of use."""

    name = "gmo"
    numbering: ClassVar[Numbering] = "composed"
    channels: ClassVar[frozenset[Channel]] = frozenset(CHANNELS)
    confirms = False
    parser_type = GmoParser
    path = "/ws/public/v1"
    page = 100
    limits: ClassVar[Limits] = Limits(
        subscriptions=100,  # not documented; at one a second they take 100 s
        messages_per_second=0.9,  # 1 subscribe or unsubscribe a second per IP
        silence=90.0,  # the server pings every minute
        stale={"trades": 300.0, "quotes": 60.0, "books": 60.0},
        renew=23 * 3600.0,
        ping_interval=None,
        ping_timeout=20.0,
        rest_interval=0.2,  # public REST is not limited by documentation; polite
        rest_burst=10,
        connects_per_minute=30.0,
    )

    def native_symbol(self, symbol: str) -> str:
        """Return ``BTC`` for ``BTC-JPY``, ``BTC_JPY`` for ``BTC-JPY-LEV``."""
        spot, leveraged = names.cut_kind(symbol, "LEV")
        base, quote = names.parse(spot)
        if quote != "JPY":
            raise ValueError(f"gmo has only markets in JPY, not a symbol of it: {symbol!r}")
        return f"{base}_{quote}" if leveraged else base

    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL of all symbols."""
        return f"{rest_base.rstrip('/')}/v1/symbols"

    def listed(self, body: bytes) -> dict[str, dict[str, Any]]:
        """Return rows by ``symbol``."""
        return {str(row.get("symbol")): row for row in objects(body, self.name, "data")}

    def steps(self, row: Mapping[str, Any]) -> tuple[object, object]:
        """Return ``tickSize`` and ``sizeStep``."""
        return row.get("tickSize"), row.get("sizeStep")

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL of the newest trades, whatever is wanted."""
        query = {"symbol": instrument.native_symbol, "page": 1, "count": self.page}
        return f"{rest_base.rstrip('/')}/v1/trades?{urlencode(query)}"

    def trade_rows(self, body: bytes) -> list[Any]:
        """Return rows with their ``ordinal``."""
        rows = objects(body, self.name, "data", "list")
        return with_ordinals(rows, lambda row: row.get("timestamp"), full=len(rows) >= self.page)

    def trade_fields(self, row: Any) -> TradeFields:
        """Read a REST row."""
        return trade_fields(row, row["ordinal"])

    def rest_of_range(self, page: Sequence[Trade | DeadLetter], wanted: Wanted) -> Wanted | None:
        """Return None: new trades shift the pages, and a group cut by their edge has no places."""
        return None
