"""Kraken spot: addresses, limits and REST answers. `kraken_parser` reads its frames."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from connectors import symbols as names
from connectors.events import Trade
from connectors.exchanges import checks
from connectors.exchanges.base import (
    DeadLetter,
    Instrument,
    Limits,
    Wanted,
)
from connectors.exchanges.kraken_parser import KrakenParser
from connectors.exchanges.paged import PagedVenue, answer
from connectors.exchanges.times import epoch
from connectors.exchanges.tolerant import (
    TradeFields,
    side,
)

REST_NAMES: Final = {"BTC": "XBT", "DOGE": "XDG"}
WS_NAMES: Final = {rest: ws for ws, rest in REST_NAMES.items()}


class Kraken(PagedVenue):
    """Kraken spot. Trade ids rise by one per symbol; REST pages by time, oldest first."""

    name = "kraken"
    parser_type = KrakenParser
    path = "/v2"
    page = 1000
    limits: ClassVar[Limits] = Limits(
        subscriptions=200,  # not documented; four channels of 50 symbols
        messages_per_second=5.0,  # not documented; polite
        silence=10.0,  # a heartbeat about every second; Kraken's guide advises 5 s
        stale={"trades": 120.0, "quotes": 60.0, "books": 60.0, "candles": 120.0},
        renew=23 * 3600.0,
        ping_interval=20.0,
        ping_timeout=20.0,
        rest_interval=1.0,  # public endpoints: 1 a second per IP and pair
        rest_burst=5,
        keepalive=30.0,
        connects_per_minute=15.0,  # 150 in 10 minutes per IP
    )

    def native_symbol(self, symbol: str) -> str:
        """Return ``BTC/USD`` for ``BTC-USD``."""
        return names.join(symbol, "/")

    def instruments_request(self, symbols: Sequence[str], rest_base: str) -> str:
        """Return the URL of all pairs: a request by name fails as a whole if one is unknown."""
        return f"{rest_base.rstrip('/')}/0/public/AssetPairs"

    def listed(self, body: bytes) -> dict[str, dict[str, Any]]:
        """Return pairs by their WebSocket name; REST's ``wsname`` still says XBT."""
        rows = answer(body, self.name, "result")
        rows = rows.values() if isinstance(rows, dict) else []
        return {
            "/".join(WS_NAMES.get(part, part) for part in str(row.get("wsname")).split("/")): row
            for row in rows
            if isinstance(row, dict)
        }

    def steps(self, row: Mapping[str, Any]) -> tuple[object, object]:
        """Return steps of one unit at the pair's precision, which is what checksums are made of."""
        places = [row.get("pair_decimals"), row.get("lot_decimals")]
        tick, lot = (
            (f"0.{'0' * (n - 1)}1" if n else "1") if isinstance(n, int) and 0 <= n < 30 else None
            for n in places
        )
        return tick, lot

    def trades_request(self, instrument: Instrument, wanted: Wanted, rest_base: str) -> str:
        """Return the URL of the page after ``since`` (ns, exclusive); the newest without it."""
        base, quote = instrument.native_symbol.split("/")
        pair = REST_NAMES.get(base, base) + REST_NAMES.get(quote, quote)
        query: dict[str, object] = {"pair": pair, "count": self.page}
        if wanted.since:
            query["since"] = (wanted.since - 1) * 1000
        return f"{rest_base.rstrip('/')}/0/public/Trades?{urlencode(query)}"

    def trade_rows(self, body: bytes) -> list[Any]:
        """Return rows of price, size, seconds, b or s, m or l, misc, trade id."""
        result = answer(body, self.name, "result", numbers=True)
        rows = [v for k, v in result.items() if k != "last"] if isinstance(result, dict) else []
        if len(rows) != 1 or not isinstance(rows[0], list):
            answer(body, self.name, "no trades of one pair")
        return list(rows[0])

    def trade_fields(self, row: Any) -> TradeFields:
        """Read a REST row."""
        if not isinstance(row, list) or len(row) < 7:
            raise checks.Reject("malformed", f"no trade: {checks.shown(row)}")
        try:
            time = epoch(str(row[2]))
        except ValueError:
            raise checks.Reject("time", f"no time: {checks.shown(row[2])}") from None
        number = checks.integer(row[6], "trade_id", "trade_id")
        taker = side({"b": "buy", "s": "sell"}.get(str(row[3])))
        return time, str(number), number, checks.price(row[0]), checks.size(row[1]), taker

    def rest_of_range(self, page: Sequence[Trade | DeadLetter], wanted: Wanted) -> Wanted | None:
        """Return what follows the page; a page that is not full is the end."""
        trades = [one for one in page if isinstance(one, Trade)]
        if not trades or len(page) < self.page or not wanted.since:
            return None
        last, time = trades[-1].trade_seq, max(one.ts_event for one in trades)
        if (wanted.to_id is not None and last >= wanted.to_id) or time <= wanted.since:
            return None
        return Wanted(max(wanted.from_id, last + 1), wanted.to_id, time)
