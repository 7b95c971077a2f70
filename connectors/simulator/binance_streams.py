"""Binance's book and candle streams: what each has shown, and its next message."""

from collections.abc import Iterable

from connectors.simulator.book import BookFeed, Changes
from connectors.simulator.instruments import E8, padded
from connectors.simulator.market import SymbolMarket

MINUTE_US = 60_000_000


def ticker_data(symbol: SymbolMarket, best: tuple[int, int, int, int]) -> str:
    """``bookTicker``: no event type and no time, as on the venue."""
    bid, bid_size, ask, ask_size = best
    return (
        f'{{"u":{symbol.update_id},"s":"{symbol.instrument.native_symbol}",'
        f'"b":"{padded(bid)}","B":"{padded(bid_size)}",'
        f'"a":"{padded(ask)}","A":"{padded(ask_size)}"}}'
    )


def levels_text(levels: Changes) -> str:
    """``[["68016.18000000","1.00000000"],…]``."""
    return "[" + ",".join(f'["{padded(p)}","{padded(s)}"]' for p, s in levels) + "]"


class DepthStream:
    """One symbol's ``@depth`` or ``@depth@100ms``: changes since the last message."""

    def __init__(self, symbol: SymbolMarket, interval_us: int) -> None:
        self.symbol = symbol
        self.interval_us = interval_us
        self._feed = BookFeed()
        self._feed.reset(*symbol.book(), symbol.update_id)

    def shown(self, bids: Iterable[int], asks: Iterable[int]) -> None:
        """REST has shown these prices."""
        self._feed.shown(bids, asks)

    def next(self, now_us: int) -> str | None:
        """The ``depthUpdate`` of this interval; None where nothing changed."""
        if self._feed.update_id == self.symbol.update_id:
            return None
        last = self.symbol.update_id
        first, bids, asks = self._feed.next(*self.symbol.book(), last)
        return (
            f'{{"e":"depthUpdate","E":{now_us // 1000},'
            f'"s":"{self.symbol.instrument.native_symbol}","U":{first},"u":{last},'
            f'"b":{levels_text(bids)},"a":{levels_text(asks)}}}'
        )


class KlineStream:
    """One symbol's ``@kline_1m``, computed from its history when a message is due."""

    def __init__(self, symbol: SymbolMarket) -> None:
        self.symbol = symbol
        self._open_us: int | None = None
        self._seen = 0

    def next(self, now_us: int) -> str | None:
        """The running candle where it changed; the closed one first where a minute ended."""
        minute = now_us // MINUTE_US * MINUTE_US
        if self._open_us is None:
            self._open_us = minute
        closed = minute > self._open_us
        open_us, self._open_us = self._open_us, minute
        first = self.symbol.history.first_at(open_us)
        end = self.symbol.history.first_at(open_us + MINUTE_US)
        if first == end or (end == self._seen and not closed):
            return None
        self._seen = end
        return self._data(open_us, now_us, self.symbol.history.between(first, end), closed)

    def _data(
        self, open_us: int, now_us: int, rows: list[tuple[int, int, int, int, bool]], closed: bool
    ) -> str:
        native = self.symbol.instrument.native_symbol
        prices = [row[2] for row in rows]
        volume = sum(row[3] for row in rows)
        quote = sum(row[2] * row[3] for row in rows) // E8
        taker = sum(row[3] for row in rows if row[4])
        taker_quote = sum(row[2] * row[3] for row in rows if row[4]) // E8
        return (
            f'{{"e":"kline","E":{now_us // 1000},"s":"{native}","k":{{"t":{open_us // 1000},'
            f'"T":{(open_us + MINUTE_US) // 1000 - 1},"s":"{native}","i":"1m",'
            f'"f":{rows[0][0]},"L":{rows[-1][0]},"o":"{padded(prices[0])}",'
            f'"c":"{padded(prices[-1])}","h":"{padded(max(prices))}","l":"{padded(min(prices))}",'
            f'"v":"{padded(volume)}","n":{len(rows)},"x":{"true" if closed else "false"},'
            f'"q":"{padded(quote)}","V":"{padded(taker)}","Q":"{padded(taker_quote)}","B":"0"}}}}'
        )
