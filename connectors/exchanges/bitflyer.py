"""bitFlyer Lightning: addresses, limits and REST answers. `bitflyer_parser` reads its frames."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from connectors import symbols as names
from connectors.exchanges.base import (
    Channel,
    Instrument,
    Limits,
    Numbering,
    Wanted,
)
from connectors.exchanges.bitflyer_parser import CHANNELS, BitflyerParser, trade_fields
from connectors.exchanges.paged import FINEST, PagedVenue, objects
from connectors.exchanges.tolerant import TradeFields


class Bitflyer(PagedVenue):
    """bitFlyer Lightning, spot and FX. Execution ids rise; REST pages by id, newest first."""

    name = "bitflyer"
    numbering: ClassVar[Numbering] = "rising"
    channels: ClassVar[frozenset[Channel]] = frozenset(CHANNELS)
    parser_type = BitflyerParser
    path = "/json-rpc"
    page = 500
    limits: ClassVar[Limits] = Limits(
        subscriptions=200,  # not documented
        messages_per_second=10.0,  # not documented; polite
        silence=60.0,  # no heartbeat; tickers of busy products come every second
        stale={"trades": 300.0, "quotes": 60.0, "books": 60.0},
        renew=23 * 3600.0,
        ping_interval=20.0,
        ping_timeout=20.0,
        rest_interval=0.7,  # 500 in 5 minutes per IP
        rest_burst=20,
    )

    def native_symbol(self, symbol: str) -> str:
        """Return ``BTC_JPY`` for ``BTC-JPY``, ``FX_BTC_JPY`` for ``BTC-JPY-FX``."""
        spot, is_fx = names.cut_kind(symbol, "FX")
        return ("FX_" if is_fx else "") + names.join(spot, "_")

    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL of all markets."""
        return f"{rest_base.rstrip('/')}/v1/getmarkets"

    def listed(self, body: bytes) -> dict[str, dict[str, Any]]:
        """Return rows by ``product_code``."""
        return {str(row.get("product_code")): row for row in objects(body, self.name)}

    def steps(self, row: Mapping[str, Any]) -> tuple[object, object]:
        """Return the finest step of all: bitFlyer publishes none."""
        return FINEST, FINEST

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL of the newest page of the range: ``before`` means ids below it."""
        query: dict[str, object] = {"product_code": instrument.native_symbol, "count": self.page}
        if wanted.to_id is not None:
            query["before"] = wanted.to_id + 1
        return f"{rest_base.rstrip('/')}/v1/executions?{urlencode(query)}"

    def trade_rows(self, body: bytes) -> list[Any]:
        """Return the executions of an answer."""
        return objects(body, self.name, numbers=True)

    def trade_fields(self, row: Any) -> TradeFields:
        """Read a REST row."""
        return trade_fields(row)
