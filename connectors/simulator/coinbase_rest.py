"""Coinbase REST: products of Advanced Trade, products and trades of the Exchange API (2026).

Both hosts' paths are on the one port. The Exchange API pages by trade id, writes eight decimals
and tells the maker's side. Trades that are answered count as sent, ``via`` ``rest``.
"""

from aiohttp import web

from connectors.simulator.instruments import Instrument, padded, rfc3339, trimmed
from connectors.simulator.venue import Venue

MAX_TRADES = 1000


class CoinbaseRest:
    """The REST paths of a simulated Coinbase."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the paths."""
        router.add_get("/api/v3/brokerage/time", self.time)
        router.add_get("/api/v3/brokerage/market/products", self.products)
        router.add_get("/api/v3/brokerage/market/products/{product}", self.product)
        router.add_get("/products", self.exchange_products)
        router.add_get("/products/{product}", self.exchange_product)
        router.add_get("/products/{product}/trades", self.trades)

    def _known(self) -> dict[str, Instrument]:
        symbols = self._venue.market.by_native.items()
        return {native: symbol.instrument for native, symbol in symbols}

    async def time(self, request: web.Request) -> web.Response:
        """The venue's clock."""
        now_us = self._venue.market_now_us()
        return web.json_response(
            {
                "iso": rfc3339(now_us),
                "epochSeconds": str(now_us // 1_000_000),
                "epochMillis": str(now_us // 1000),
            }
        )

    async def products(self, request: web.Request) -> web.Response:
        """Listings; ``product_ids`` may be given several times. Unknown ids are left out."""
        known = self._known()
        wanted = request.query.getall("product_ids", list(known))
        listed = [_advanced(known[product]) for product in wanted if product in known]
        return web.json_response({"products": listed, "num_products": len(listed)})

    async def product(self, request: web.Request) -> web.Response:
        """One listing."""
        instrument = self._known().get(request.match_info["product"])
        if instrument is None:
            return web.json_response({"error": "NOT_FOUND", "message": "not found"}, status=404)
        return web.json_response(_advanced(instrument))

    async def exchange_products(self, request: web.Request) -> web.Response:
        """Listings of the Exchange API."""
        return web.json_response([_exchange(one) for one in self._known().values()])

    async def exchange_product(self, request: web.Request) -> web.Response:
        """One listing of the Exchange API."""
        instrument = self._known().get(request.match_info["product"])
        return _not_found() if instrument is None else web.json_response(_exchange(instrument))

    async def trades(self, request: web.Request) -> web.Response:
        """Trades by id, descending: below ``after``, above ``before``, or the newest."""
        product = request.match_info["product"]
        symbol = self._venue.market.by_native.get(product)
        if symbol is None:
            return _not_found()
        try:
            limit = int(request.query.get("limit", MAX_TRADES))
            after = int(request.query.get("after", symbol.history.next_id))
            before = int(request.query.get("before", 0))
        except ValueError:
            return web.json_response({"message": "invalid cursor or limit"}, status=400)
        limit = max(1, min(MAX_TRADES, limit))
        end = min(after, symbol.history.next_id)
        rows = symbol.history.between(max(before + 1, end - limit), end)
        self._venue.answered(product, [row[0] for row in rows])
        headers = {}
        if rows:
            headers = {"CB-BEFORE": str(rows[-1][0]), "CB-AFTER": str(rows[0][0])}
        return web.json_response(
            [
                {
                    "trade_id": trade_id,
                    "side": "sell" if buy else "buy",
                    "size": padded(size),
                    "price": padded(price),
                    "time": rfc3339(time_us),
                }
                for trade_id, time_us, price, size, buy in reversed(rows)
            ],
            headers=headers,
        )


def _not_found() -> web.Response:
    return web.json_response({"message": "NotFound"}, status=404)


def _advanced(instrument: Instrument) -> dict[str, object]:
    return {
        "product_id": instrument.native_symbol,
        "price": trimmed(instrument.price),
        "base_increment": trimmed(instrument.lot),
        "quote_increment": trimmed(instrument.tick),
        "price_increment": trimmed(instrument.tick),
        "quote_min_size": "1",
        "quote_max_size": "150000000",
        "base_min_size": trimmed(instrument.lot),
        "base_max_size": "1000000000",
        "base_name": instrument.base,
        "quote_name": instrument.quote,
        "is_disabled": False,
        "status": "online",
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "trading_disabled": False,
        "auction_mode": False,
        "product_type": "SPOT",
        "quote_currency_id": instrument.quote,
        "base_currency_id": instrument.base,
        "alias": "",
        "alias_to": [],
        "display_name": instrument.native_symbol,
        "product_venue": "CBE",
    }


def _exchange(instrument: Instrument) -> dict[str, object]:
    return {
        "id": instrument.native_symbol,
        "base_currency": instrument.base,
        "quote_currency": instrument.quote,
        "quote_increment": trimmed(instrument.tick),
        "base_increment": trimmed(instrument.lot),
        "display_name": instrument.native_symbol.replace("-", "/"),
        "min_market_funds": "1",
        "post_only": False,
        "limit_only": False,
        "cancel_only": False,
        "status": "online",
        "status_message": "",
        "trading_disabled": False,
        "auction_mode": False,
    }
