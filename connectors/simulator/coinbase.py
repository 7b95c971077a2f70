"""The simulated Coinbase: a market behind Advanced Trade's protocol.

Trades come newest first with the maker's side. Updates are batched at each 50 ms of simulated
time, one product a frame, as in a recording of 2026-08.
"""

from collections.abc import Collection, Sequence

from aiohttp import web

from connectors.simulator.book import BookFeed, Changes
from connectors.simulator.booklog import Point
from connectors.simulator.clock import Clock
from connectors.simulator.coinbase_protocol import HEARTBEATS, CoinbaseProtocol
from connectors.simulator.coinbase_rest import CoinbaseRest
from connectors.simulator.faults import Faults, Kind
from connectors.simulator.instruments import Instrument, rfc3339, trimmed
from connectors.simulator.ledger import Ledger
from connectors.simulator.market import Market, SymbolMarket
from connectors.simulator.venue import Limits, TradeText, Venue
from connectors.simulator.wire import Connection

BATCH_US = 50_000
SNAPSHOT_TRADES = 100


class Coinbase(Venue, CoinbaseProtocol):
    """The simulated Coinbase."""

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
        self._batches: dict[SymbolMarket, list[TradeText]] = {}
        self._books: dict[str, BookFeed] = {}
        self._told: dict[str, Point] = {}
        self._quoted: dict[str, tuple[int, int, int, int]] = {}
        self._changed: set[SymbolMarket] = set()

    def texts(self, instrument: Instrument, price: int, size: int) -> tuple[str, str]:
        """No zeros at the end."""
        return trimmed(price), trimmed(size)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Also the REST paths."""
        super().add_routes(router)
        CoinbaseRest(self).add_routes(router)

    @property
    def products(self) -> Collection[str]:
        """What is listed."""
        return self.market.by_native

    def channel_closed(self, channel: str, product: str) -> None:
        """Forget what was shown of a book."""
        if channel == "level2":
            self._books.pop(product, None)

    def snapshot(self, conn: Connection, channel: str, product: str) -> None:
        """The last trades, the ticker, or the whole book."""
        if channel == HEARTBEATS:
            return
        symbol = self.market.by_native[product]
        if channel == "market_trades":
            rows = symbol.history.last(SNAPSHOT_TRADES)
            trades = [TradeText(i, t, trimmed(p), trimmed(s), buy) for i, t, p, s, buy in rows]
            self.send(conn, channel, trades_event("snapshot", product, trades))
            for trade in reversed(trades):
                conn.note(product, trade.trade_id, "snapshot")
        elif channel == "ticker":
            self.send(conn, channel, ticker_event("snapshot", symbol, symbol.best()))
        else:
            feed = self._books.get(product)
            if feed is None:
                feed = self._books[product] = BookFeed()
                feed.reset(*symbol.book(), symbol.update_id)
                self._told[product] = self.note_book(symbol, self.market_now_us())
            else:
                log = self.book_logs[symbol.instrument.symbol]
                log.repeat(self._told[product], self.market_now_us())
            event = book_event(
                "snapshot",
                product,
                self.market_now_us(),
                list(feed.bids.items()),
                list(feed.asks.items()),
            )
            self.send(conn, "l2_data", event)

    def offer(self, symbol: SymbolMarket, trades: Sequence[TradeText]) -> None:
        """Put trades into the product's batch, where anyone listens."""
        if ("market_trades", symbol.instrument.native_symbol) in self.listeners:
            self._batches.setdefault(symbol, []).extend(trades)

    def offer_broken(self, symbol: SymbolMarket, trade: TradeText, kind: Kind) -> None:
        """A frame of its own that holds no sound trade; it uses up a sequence number."""
        product = symbol.instrument.native_symbol
        event = trades_event("update", product, [trade])
        for conn in self.listeners.get(("market_trades", product), ()):
            self.send(conn, "market_trades", event, lambda raw: self.faults.broken(kind, raw))

    def quote(self, symbol: SymbolMarket) -> None:
        """Remember that a symbol's book has changed in this slice."""
        self._changed.add(symbol)

    def end_slice(self, to_us: int) -> None:
        """Send the batches at each 50 ms."""
        if not to_us % BATCH_US:
            self.send_pending()

    def send_pending(self) -> None:
        """Send the batches now."""
        if self._batches:
            batches, self._batches = self._batches, {}
            for symbol, trades in batches.items():
                self._send_batch(symbol, trades)
        if self._changed:
            changed, self._changed = self._changed, set()
            for symbol in sorted(changed, key=lambda one: one.index):
                self._send_changes(symbol)

    def _send_batch(self, symbol: SymbolMarket, trades: Sequence[TradeText]) -> None:
        product = symbol.instrument.native_symbol
        event = trades_event("update", product, trades)
        for conn in self.listeners.get(("market_trades", product), ()):
            self.send(conn, "market_trades", event)
            for trade in reversed(trades):
                conn.note(product, trade.trade_id)

    def _send_changes(self, symbol: SymbolMarket) -> None:
        product = symbol.instrument.native_symbol
        listeners = self.listeners.get(("ticker", product))
        if listeners:
            best = symbol.best()
            if self._quoted.get(product) != best:
                self._quoted[product] = best
                event = ticker_event("update", symbol, best)
                for conn in listeners:
                    self.send(conn, "ticker", event)
        listeners = self.listeners.get(("level2", product))
        feed = self._books.get(product)
        if listeners and feed is not None:
            _, bids, asks = feed.next(*symbol.book(), symbol.update_id)
            if bids or asks:
                self._send_book(symbol, listeners, bids, asks)

    def _send_book(
        self, symbol: SymbolMarket, listeners: Sequence[Connection], bids: Changes, asks: Changes
    ) -> None:
        now_us = self.market_now_us()
        event = book_event("update", symbol.instrument.native_symbol, now_us, bids, asks)
        self._told[symbol.instrument.native_symbol] = self.note_book(symbol, now_us)
        lost = self.faults.strikes("book_gap", symbol.instrument.symbol, sequence=symbol.update_id)
        for conn in listeners:
            if lost:
                conn.sequence += 1
            else:
                self.send(conn, "l2_data", event)


def trades_event(kind: str, product: str, trades: Sequence[TradeText]) -> str:
    """An event of ``market_trades``; trades are given oldest first, written newest first."""
    parts = ",".join(
        f'{{"product_id":"{product}","trade_id":"{t.trade_id}","price":"{t.price}",'
        f'"size":"{t.size}","time":"{rfc3339(t.time_us)}","side":"{maker_side(t.buy).upper()}"}}'
        for t in reversed(trades)
    )
    return f'{{"type":"{kind}","trades":[{parts}]}}'


def maker_side(buy: bool) -> str:
    """Coinbase tells the resting order's side: the opposite of the aggressor's."""
    return "sell" if buy else "buy"


def ticker_event(kind: str, symbol: SymbolMarket, best: tuple[int, int, int, int]) -> str:
    """An event of ``ticker``; the day's figures are those of the first price."""
    bid, bid_size, ask, ask_size = best
    first = symbol.instrument.price
    last = symbol.history.last(1)
    price = last[0][2] if last else bid
    return (
        f'{{"type":"{kind}","tickers":[{{"type":"ticker",'
        f'"product_id":"{symbol.instrument.native_symbol}","price":"{trimmed(price)}",'
        f'"volume_24_h":"0","low_24_h":"{trimmed(min(first, price))}",'
        f'"high_24_h":"{trimmed(max(first, price))}","low_52_w":"{trimmed(min(first, price))}",'
        f'"high_52_w":"{trimmed(max(first, price))}",'
        f'"price_percent_chg_24_h":"{(price / first - 1) * 100:.8f}",'
        f'"best_bid":"{trimmed(bid)}","best_ask":"{trimmed(ask)}",'
        f'"best_bid_quantity":"{trimmed(bid_size)}","best_ask_quantity":"{trimmed(ask_size)}"}}]}}'
    )


def book_event(kind: str, product: str, time_us: int, bids: Changes, asks: Changes) -> str:
    """An event of ``l2_data``."""
    moment = rfc3339(time_us)
    parts = [
        f'{{"side":"{side}","event_time":"{moment}","price_level":"{trimmed(price)}",'
        f'"new_quantity":"{trimmed(size)}"}}'
        for side, levels in (("bid", bids), ("offer", asks))
        for price, size in levels
    ]
    return f'{{"type":"{kind}","product_id":"{product}","updates":[{",".join(parts)}]}}'
