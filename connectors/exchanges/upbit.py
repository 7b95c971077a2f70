"""Upbit: addresses, limits and REST answers. `upbit_parser` reads its frames."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from connectors import symbols as names
from connectors.exchanges.base import (
    Instrument,
    Limits,
    Numbering,
    Wanted,
)
from connectors.exchanges.paged import FINEST, PagedVenue, objects
from connectors.exchanges.tolerant import TradeFields
from connectors.exchanges.upbit_parser import UpbitParser, trade_fields


class Upbit(PagedVenue):
    """Upbit. Trade ids rise; REST pages by id, newest first."""

    name = "upbit"
    numbering: ClassVar[Numbering] = "rising"
    confirms = False
    parser_type = UpbitParser
    path = "/websocket/v1"
    page = 500
    limits: ClassVar[Limits] = Limits(
        subscriptions=400,  # not documented; one request names them all
        messages_per_second=1.5,  # 5 a second and 100 a minute
        silence=60.0,  # our PING of every 30 s is answered; idle ones are cut after 120 s
        stale={"trades": 300.0, "quotes": 60.0, "books": 60.0, "candles": 120.0},
        renew=23 * 3600.0,
        ping_interval=None,
        ping_timeout=20.0,
        rest_interval=0.15,  # 10 a second per IP for trades
        rest_burst=8,
        keepalive=30.0,
        connects_per_minute=60.0,  # 5 a second
    )

    def native_symbol(self, symbol: str) -> str:
        """Return ``KRW-BTC`` for ``BTC-KRW``."""
        base, quote = names.parse(symbol)
        return f"{quote}-{base}"

    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL of all markets."""
        return f"{rest_base.rstrip('/')}/v1/market/all"

    def listed(self, body: bytes) -> dict[str, dict[str, Any]]:
        """Return rows by ``market``."""
        return {str(row.get("market")): row for row in objects(body, self.name)}

    def steps(self, row: Mapping[str, Any]) -> tuple[object, object]:
        """Return the finest step of all: Upbit's tick depends on the price."""
        return FINEST, FINEST

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL of the newest page of the range: ``cursor`` means ids below it."""
        query: dict[str, object] = {"market": instrument.native_symbol, "count": self.page}
        if wanted.to_id is not None:
            query["cursor"] = wanted.to_id + 1
        return f"{rest_base.rstrip('/')}/v1/trades/ticks?{urlencode(query)}"

    def trade_rows(self, body: bytes) -> list[Any]:
        """Return the trades of an answer."""
        return objects(body, self.name, numbers=True)

    def trade_fields(self, row: Any) -> TradeFields:
        """Read a REST row."""
        return trade_fields(row, "sequential_id timestamp trade_price trade_volume ask_bid")
