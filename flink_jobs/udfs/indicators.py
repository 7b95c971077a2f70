"""Indicators of technical analysis at the last of a run of bars, oldest first.

Definitions and warm-up are TA-Lib's (ta-lib.org): recursive averages start from a plain average.
None while there are too few bars.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log, sqrt
from statistics import fmean
from typing import Any

Values = Sequence[float]


def _emas(values: Values, period: int) -> list[float]:
    """Exponential averages of values[period-1:], the first a plain average."""
    if len(values) < period:
        return []
    weight = 2 / (period + 1)
    found = [fmean(values[:period])]
    for value in values[period:]:
        found.append((value - found[-1]) * weight + found[-1])
    return found


def _smoothed(values: Values, period: int) -> float | None:
    """Wilder's average: a plain one of the first `period`, then 1/period of each next."""
    if len(values) < period:
        return None
    average = fmean(values[:period])
    for value in values[period:]:
        average = (average * (period - 1) + value) / period
    return average


def ema(closes: Values, period: int = 20) -> float | None:
    """Exponential moving average."""
    found = _emas(closes, period)
    return found[-1] if found else None


def macds(closes: Values, fast: int = 12, slow: int = 26) -> list[float]:
    """Fast less slow average from the bar on where the slow one begins; both begin there."""
    pairs = zip(_emas(closes[slow - fast :], fast), _emas(closes, slow), strict=True)
    return [one - other for one, other in pairs] if len(closes) >= slow else []


def macd(closes: Values) -> float | None:
    """MACD (12, 26), where its signal has begun too."""
    found = macds(closes)
    return found[-1] if len(found) >= 9 else None


def macd_signal(closes: Values) -> float | None:
    """The average of 9 MACDs."""
    return ema(macds(closes), 9)


def rsi(closes: Values, period: int = 14) -> float | None:
    """Relative strength index, 0 to 100; 0 where nothing moved."""
    moves = [after - before for before, after in pairwise(closes)]
    gain = _smoothed([max(move, 0.0) for move in moves], period)
    loss = _smoothed([max(-move, 0.0) for move in moves], period)
    if gain is None or loss is None:
        return None
    return 100 * gain / (gain + loss) if gain + loss else 0.0


def bollinger_width(closes: Values, period: int = 20) -> float | None:
    """Two standard deviations of the last closes: the bands lie so far from the average."""
    if len(closes) < period:
        return None
    last = closes[-period:]
    mean = fmean(last)
    return 2 * sqrt(fmean([(close - mean) ** 2 for close in last]))


def atr(highs: Values, lows: Values, closes: Values, period: int = 14) -> float | None:
    """Average true range."""
    ranges = [
        max(high - low, abs(high - before), abs(low - before))
        for high, low, before in zip(highs[1:], lows[1:], closes[:-1], strict=True)
    ]
    return _smoothed(ranges, period)


def realized_volatility(closes: Values, period: int = 20) -> float | None:
    """Root of the sum of the last squared log returns; not scaled to a year."""
    last = closes[-period - 1 :]
    if len(last) <= period or min(last) <= 0:
        return None
    return sqrt(sum(log(after / before) ** 2 for before, after in pairwise(last)))


def bars(closes: Values) -> int:
    """How many bars there are: SQL's own COUNT cannot stand beside Python aggregates."""
    return len(closes)


try:
    from pyflink.table.udf import udaf
except ModuleNotFoundError:  # the plain functions are usable where Flink is not installed
    pass
else:

    def _over_bars(function: Callable[..., Any], result: str = "DOUBLE") -> Any:
        """The function as a vectorised aggregate; it is handed a pandas Series a column."""

        def aggregate(*columns: Any) -> Any:
            return function(*(column.tolist() for column in columns))

        return udaf(aggregate, result_type=result, func_type="pandas", name=function.__name__)

    bars_of = _over_bars(bars, "BIGINT")
    ema_of = _over_bars(ema)
    macd_of = _over_bars(macd)
    macd_signal_of = _over_bars(macd_signal)
    rsi_of = _over_bars(rsi)
    bollinger_of = _over_bars(bollinger_width)
    atr_of = _over_bars(atr)
    volatility_of = _over_bars(realized_volatility)
