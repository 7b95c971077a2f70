"""Market events for tests of the engine."""

from connectors.events import BookUpdate, Candle, FeedStatus, Quote, Trade
from connectors.feed.status import status

HEAD = ("binance", "BTC-USDT", "BTCUSDT", 1, 2, "binance-1", "venue", 1)


def trade(number: int = 1) -> Trade:
    """The n-th trade of BTC-USDT."""
    return Trade(*HEAD, str(number), number, "100.5", "0.25", "buy")


def quote(bid: str = "1", symbol: str = "BTC-USDT") -> Quote:
    """A quote told apart by its bid."""
    return Quote(HEAD[0], symbol, *HEAD[2:], bid, "1", "2", "1", None)


def book(previous: int, last: int) -> BookUpdate:
    """An update that follows ``previous`` and sets one level, at price ``last``."""
    return BookUpdate(*HEAD, False, [(str(last), "1")], [], last, previous, 1)


def candle(open_time: int, close: str) -> Candle:
    """A candle told apart by its time and its close."""
    return Candle(*HEAD, "1m", open_time, open_time + 59, "1", "2", "1", close, "9", None, 3, False)


def told() -> FeedStatus:
    """A status event."""
    return status("binance", "binance-1", "connected")
