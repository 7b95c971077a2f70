"""Binance spot REST (rest-api.md, 2026): what a market-data client asks.

Trades that are answered count as sent, ``via`` ``rest``.
"""

import json
from collections.abc import Callable, Iterable

from aiohttp import web

from connectors.simulator.instruments import E8, Instrument, padded
from connectors.simulator.market import SymbolMarket
from connectors.simulator.venue import Venue

MAX_TRADES = 1000


BookShown = Callable[[SymbolMarket, Iterable[int], Iterable[int]], None]
"""Told of each book that was answered: symbol, bid prices, ask prices."""


class BinanceRest:
    """The ``/api/v3`` paths of a simulated Binance."""

    def __init__(self, venue: Venue, book_shown: BookShown) -> None:
        self._venue = venue
        self._book_shown = book_shown

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the paths."""
        router.add_get("/api/v3/ping", self.ping)
        router.add_get("/api/v3/time", self.time)
        router.add_get("/api/v3/exchangeInfo", self.exchange_info)
        router.add_get("/api/v3/depth", self.depth)
        router.add_get("/api/v3/trades", self.trades)
        router.add_get("/api/v3/historicalTrades", self.trades)

    async def ping(self, request: web.Request) -> web.Response:
        """Nothing, in JSON."""
        return web.json_response({})

    async def time(self, request: web.Request) -> web.Response:
        """The venue's clock in ms."""
        return web.json_response({"serverTime": self._venue.market_now_us() // 1000})

    async def exchange_info(self, request: web.Request) -> web.Response:
        """Listings with their filters; ``symbol=`` or ``symbols=[…]`` selects."""
        known = self._venue.market.by_native
        try:
            wanted = _wanted(request, list(known))
        except ValueError:
            return _error(-1100, "Illegal characters found in parameter 'symbols'.")
        if any(native not in known for native in wanted):
            return _error(-1121, "Invalid symbol.")
        return web.json_response(
            {
                "timezone": "UTC",
                "serverTime": self._venue.market_now_us() // 1000,
                "rateLimits": [],
                "exchangeFilters": [],
                "symbols": [_listing(known[native].instrument) for native in wanted],
            }
        )

    def _symbol(self, request: web.Request) -> SymbolMarket:
        native = request.query.get("symbol")
        if not native:
            raise _refusal(
                -1102,
                "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
            )
        symbol = self._venue.market.by_native.get(native)
        if symbol is None:
            raise _refusal(-1121, "Invalid symbol.")
        return symbol

    async def depth(self, request: web.Request) -> web.Response:
        """The book at ``lastUpdateId``."""
        symbol = self._symbol(request)
        limit = _integer(request, "limit", 100)
        bids, asks = symbol.book()
        self._book_shown(symbol, bids, asks)
        return web.json_response(
            {
                "lastUpdateId": symbol.update_id,
                "bids": [[padded(p), padded(s)] for p, s in list(bids.items())[:limit]],
                "asks": [[padded(p), padded(s)] for p, s in list(asks.items())[:limit]],
            }
        )

    async def trades(self, request: web.Request) -> web.Response:
        """Trades by id, ascending: from ``fromId``, or the newest."""
        symbol = self._symbol(request)
        limit = _integer(request, "limit", 500)
        if not 0 < limit <= MAX_TRADES:
            return _error(-1130, "Data sent for parameter 'limit' is not valid.")
        history = symbol.history
        rows = history.last(limit)
        if "fromId" in request.query and request.path.endswith("historicalTrades"):
            first = max(history.first_id, _integer(request, "fromId", 0))
            rows = history.between(first, first + limit)
        venue = self._venue
        ids = [row[0] for row in rows]
        venue.answered(symbol.instrument.symbol, ids)
        return web.json_response(
            [
                {
                    "id": trade_id,
                    "price": padded(price),
                    "qty": padded(size),
                    "quoteQty": padded(price * size // E8),
                    "time": time_us // 1000,
                    "isBuyerMaker": not buy,
                    "isBestMatch": True,
                }
                for trade_id, time_us, price, size, buy in rows
            ]
        )


def _refusal(code: int, message: str) -> web.HTTPBadRequest:
    text = json.dumps({"code": code, "msg": message})
    return web.HTTPBadRequest(text=text, content_type="application/json")


def _error(code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "msg": message}, status=400)


def _integer(request: web.Request, name: str, default: int) -> int:
    try:
        return int(request.query.get(name, default))
    except ValueError:
        raise _refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        ) from None


def _wanted(request: web.Request, known: list[str]) -> list[str]:
    if "symbols" in request.query:
        names = json.loads(request.query["symbols"])
        if not isinstance(names, list):
            raise ValueError("symbols is not an array")
        return [str(name) for name in names]
    return [request.query["symbol"]] if "symbol" in request.query else known


def _listing(instrument: Instrument) -> dict[str, object]:
    return {
        "symbol": instrument.native_symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": padded(instrument.tick),
                "maxPrice": "1000000.00000000",
                "tickSize": padded(instrument.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": padded(instrument.lot),
                "maxQty": "9000000000.00000000",
                "stepSize": padded(instrument.lot),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": "5.00000000",
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }
