"""Kraken's public REST (docs.kraken.com, spot REST, 2026): listing, trades, time.

Answers have status 200 and name what is wrong in ``error``. Pairs may be asked for by any of
their names: ``BTC/USD``, ``XBT/USD``, ``XBTUSD``, ``XXBTZUSD``. Trades that are answered count as
sent, ``via`` ``rest``.
"""

from aiohttp import web

from connectors.simulator.instruments import Instrument, fixed, padded
from connectors.simulator.market import SymbolMarket
from connectors.simulator.venue import Venue

MAX_TRADES = 1000
_ALTERNATIVES = {"BTC": "XBT", "DOGE": "XDG"}
_LEGACY = ("ETC", "ETH", "LTC", "XBT", "XLM", "XRP")
"""Assets whose pairs with the dollar keep the names of 2013: ``XETHZUSD``."""


def alternative(instrument: Instrument) -> str:
    """The old name of the base: ``XBT``."""
    return _ALTERNATIVES.get(instrument.base, instrument.base)


def key(instrument: Instrument) -> str:
    """The name under which REST answers: ``XXBTZUSD``, ``SOLUSD``."""
    base = alternative(instrument)
    return f"X{base}Z{instrument.quote}" if base in _LEGACY else f"{base}{instrument.quote}"


def names(instrument: Instrument) -> set[str]:
    """Every name that finds a pair."""
    found = {key(instrument)}
    for base in (instrument.base, alternative(instrument)):
        found |= {f"{base}{instrument.quote}", f"{base}/{instrument.quote}"}
    return found


class KrakenRest:
    """The ``/0/public`` paths of a simulated Kraken."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._by_name = {
            name: symbol for symbol in venue.market.symbols for name in names(symbol.instrument)
        }

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the paths."""
        router.add_get("/0/public/Time", self.time)
        router.add_get("/0/public/SystemStatus", self.status)
        router.add_get("/0/public/AssetPairs", self.pairs)
        router.add_get("/0/public/Trades", self.trades)

    async def time(self, request: web.Request) -> web.Response:
        """The venue's clock in seconds."""
        return _result({"unixtime": self._venue.market_now_us() // 1_000_000})

    async def status(self, request: web.Request) -> web.Response:
        """Always online."""
        return _result({"status": "online"})

    async def pairs(self, request: web.Request) -> web.Response:
        """Listings; ``pair`` selects, names separated by commas."""
        asked = [name for name in request.query.get("pair", "").split(",") if name]
        if any(name not in self._by_name for name in asked):
            return _error("EQuery:Unknown asset pair")
        symbols = [self._by_name[name] for name in asked] or self._venue.market.symbols
        new = request.query.get("assetVersion") == "1"
        found = [symbol.instrument for symbol in symbols]
        return _result({_answer_key(one, new): _listing(one, new) for one in found})

    async def trades(self, request: web.Request) -> web.Response:
        """About 1000 trades, ascending: those after ``since`` (ns), or the newest."""
        symbol = self._by_name.get(request.query.get("pair", ""))
        if symbol is None:
            return _error("EQuery:Unknown asset pair")
        try:
            count = int(request.query.get("count", MAX_TRADES))
            since = int(request.query["since"]) if "since" in request.query else None
        except ValueError:
            return _error("EGeneral:Invalid arguments")
        history = symbol.history
        count = max(1, min(MAX_TRADES, count))
        rows = history.last(count)
        if since is not None:
            first = history.first_at(since // 1000 + 1)
            end = first + count
            if end < history.next_id:
                # ``last`` is a time: trades of one moment must not be torn apart by a page.
                (cut,) = history.between(end - 1, end)
                end = history.first_at(cut[1] + 1)
            rows = history.between(first, end)
        self._venue.answered(symbol.instrument.symbol, [row[0] for row in rows])
        last = rows[-1][1] * 1000 if rows else (since or 0)
        new = request.query.get("assetVersion") == "1"
        answer: dict[str, object] = {
            _answer_key(symbol.instrument, new): [_row(symbol, row) for row in rows],
            "last": str(last),
        }
        return _result(answer)


def _row(symbol: SymbolMarket, row: tuple[int, int, int, int, bool]) -> list[object]:
    trade_id, time_us, price, size, buy = row
    decimals = max(5, symbol.instrument.price_decimals)
    side = "b" if buy else "s"
    return [fixed(price, decimals), padded(size), time_us / 1_000_000, side, "m", "", trade_id]


def _answer_key(instrument: Instrument, new: bool) -> str:
    return instrument.native_symbol if new else key(instrument)


def _listing(instrument: Instrument, new: bool) -> dict[str, object]:
    base = instrument.base if new else alternative(instrument)
    legacy = not new and base in _LEGACY
    return {
        "altname": f"{base}{instrument.quote}",
        "wsname": f"{base}/{instrument.quote}",
        "aclass_base": "currency",
        "base": f"X{base}" if legacy else base,
        "aclass_quote": "currency",
        "quote": instrument.quote if new else f"Z{instrument.quote}",
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": instrument.price_decimals,
        "lot_decimals": instrument.size_decimals,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": padded(instrument.lot),
        "costmin": "0.5",
        "tick_size": fixed(instrument.tick, instrument.price_decimals),
        "status": "online",
    }


def _result(result: dict[str, object]) -> web.Response:
    return web.json_response({"error": [], "result": result})


def _error(text: str) -> web.Response:
    return web.json_response({"error": [text]})
