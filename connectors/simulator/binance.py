"""The simulated Binance: a market behind Binance's protocol.

Streams ``@trade`` (one frame a trade, at once), ``@bookTicker``, ``@depth``, ``@depth@100ms`` and
``@kline_1m``; other streams are acknowledged and stay silent.
"""

from collections.abc import Iterable, Sequence

from aiohttp import web

from connectors.simulator.binance_protocol import BinanceProtocol
from connectors.simulator.binance_rest import BinanceRest
from connectors.simulator.binance_streams import DepthStream, KlineStream, ticker_data
from connectors.simulator.clock import Clock
from connectors.simulator.faults import Faults, Kind
from connectors.simulator.instruments import Instrument, padded
from connectors.simulator.ledger import Ledger
from connectors.simulator.market import Market, SymbolMarket
from connectors.simulator.venue import Limits, TradeText, Venue


class Binance(Venue, BinanceProtocol):
    """The simulated Binance."""

    def __init__(
        self,
        market: Market,
        ledger: Ledger,
        faults: Faults,
        clock: Clock,
        limits: Limits,
        skew_us: int = 0,
    ) -> None:
        super().__init__(market, ledger, faults, clock, limits, skew_us)
        self._by_lower = {native.lower(): symbol for native, symbol in market.by_native.items()}
        self._depths: dict[str, DepthStream] = {}
        self._klines: dict[str, KlineStream] = {}
        self._quoted: dict[str, tuple[int, int, int, int]] = {}

    def texts(self, instrument: Instrument, price: int, size: int) -> tuple[str, str]:
        """Eight decimals."""
        return padded(price), padded(size)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Also ``/api/v3``."""
        super().add_routes(router)
        BinanceRest(self, self.book_shown).add_routes(router)

    def stream_opened(self, name: str) -> None:
        """Book and candle streams remember what they have shown."""
        symbol = self._by_lower.get(name.partition("@")[0])
        kind = name.partition("@")[2]
        if symbol is None:
            return
        if kind in ("depth", "depth@100ms"):
            self._depths[name] = DepthStream(symbol, 1_000_000 if kind == "depth" else 100_000)
        elif kind == "kline_1m":
            self._klines[name] = KlineStream(symbol)

    def stream_closed(self, name: str) -> None:
        """Forget what was shown."""
        self._depths.pop(name, None)
        self._klines.pop(name, None)

    def book_shown(self, symbol: SymbolMarket, bids: Iterable[int], asks: Iterable[int]) -> None:
        """REST has shown a book: the symbol's streams must join to it."""
        self.note_book(symbol, self.market_now_us() // 1000 * 1000)
        for depth in self._depths.values():
            if depth.symbol is symbol:
                depth.shown(bids, asks)

    def _trade_data(self, symbol: SymbolMarket, trade: TradeText) -> str:
        time_ms = trade.time_us // 1000
        event_ms = max(time_ms, self.market_now_us() // 1000)
        return (
            f'{{"e":"trade","E":{event_ms},"s":"{symbol.instrument.native_symbol}",'
            f'"t":{trade.trade_id},"p":"{trade.price}","q":"{trade.size}","T":{time_ms},'
            f'"m":{"false" if trade.buy else "true"},"M":true}}'
        )

    def offer(self, symbol: SymbolMarket, trades: Sequence[TradeText]) -> None:
        """One frame a trade."""
        name = symbol.instrument.native_symbol.lower() + "@trade"
        listeners = self.streams.get(name)
        if not listeners:
            return
        for trade in trades:
            self.publish(name, self._trade_data(symbol, trade), listeners)
            for conn in listeners:
                conn.note(symbol.instrument.symbol, trade.trade_id)

    def offer_broken(self, symbol: SymbolMarket, trade: TradeText, kind: Kind) -> None:
        """A frame that holds no sound trade."""
        name = symbol.instrument.native_symbol.lower() + "@trade"
        data = self._trade_data(symbol, trade)
        for conn in self.streams.get(name, ()):
            text = f'{{"stream":"{name}","data":{data}}}' if conn.combined else data
            conn.send(self.faults.broken(kind, text.encode()))

    def quote(self, symbol: SymbolMarket) -> None:
        """``bookTicker`` whenever a best price or its size changes."""
        name = symbol.instrument.native_symbol.lower() + "@bookTicker"
        listeners = self.streams.get(name)
        if not listeners:
            return
        best = symbol.best()
        if self._quoted.get(name) != best:
            self._quoted[name] = best
            self.publish(name, ticker_data(symbol, best), listeners)

    def _send_depth(self, name: str, depth: DepthStream, now_us: int) -> None:
        data = depth.next(now_us)
        if data is None:
            return
        symbol = depth.symbol
        self.note_book(symbol, now_us // 1000 * 1000)
        if not self.faults.strikes("book_gap", symbol.instrument.symbol, sequence=symbol.update_id):
            self.publish(name, data, self.streams[name])

    def end_slice(self, to_us: int) -> None:
        """Depth streams each 100 or 1000 ms, klines each 2 s of simulated time."""
        if to_us % 100_000:
            return
        now_us = self.market_now_us()
        for name, depth in self._depths.items():
            if not to_us % depth.interval_us and not self.silent(depth.symbol):
                self._send_depth(name, depth, now_us)
        if not to_us % 2_000_000:
            for name, kline in self._klines.items():
                data = None if self.silent(kline.symbol) else kline.next(now_us)
                if data is not None:
                    self.publish(name, data, self.streams[name])
