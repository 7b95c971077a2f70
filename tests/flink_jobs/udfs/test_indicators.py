"""Indicators against TA-Lib, fed with the same closes; no JVM."""

import random
from collections.abc import Callable

import pytest

from flink_jobs.udfs import indicators

pytestmark = pytest.mark.flink


def walk(count: int, seed: int = 7) -> tuple[list[float], list[float], list[float]]:
    """Highs, lows and closes of a random market near 60,000."""
    chance = random.Random(seed)
    closes = [60_000.0]
    for _ in range(count - 1):
        closes.append(round(closes[-1] * (1 + chance.gauss(0, 0.001)), 2))
    highs = [close + round(chance.random() * 30, 2) for close in closes]
    lows = [close - round(chance.random() * 30, 2) for close in closes]
    return highs, lows, closes


def talib_values(count: int) -> dict[str, float]:
    """TA-Lib's last values over the same run of bars; NaN while it warms up."""
    import numpy
    import talib

    highs, lows, closes = (numpy.array(values) for values in walk(count))
    upper, middle, _ = talib.BBANDS(closes, 20, 2, 2)
    macd, signal, _ = talib.MACD(closes, 12, 26, 9)
    return {
        "ema": talib.EMA(closes, 20)[-1],
        "macd": macd[-1],
        "macd_signal": signal[-1],
        "rsi": talib.RSI(closes, 14)[-1],
        "bollinger": (upper - middle)[-1],
        "atr": talib.ATR(highs, lows, closes, 14)[-1],
    }


OURS: dict[str, Callable[..., float | None]] = {
    "ema": lambda highs, lows, closes: indicators.ema(closes),
    "macd": lambda highs, lows, closes: indicators.macd(closes),
    "macd_signal": lambda highs, lows, closes: indicators.macd_signal(closes),
    "rsi": lambda highs, lows, closes: indicators.rsi(closes),
    "bollinger": lambda highs, lows, closes: indicators.bollinger_width(closes),
    "atr": lambda highs, lows, closes: indicators.atr(highs, lows, closes),
}


@pytest.mark.parametrize("count", [14, 15, 19, 20, 21, 25, 26, 33, 34, 35, 100, 499, 500])
@pytest.mark.parametrize("name", OURS)
def test_a_value_is_that_of_ta_lib(name: str, count: int) -> None:
    """Equal within 1e-9 of the value, and missing exactly where TA-Lib has none."""
    theirs = talib_values(count)[name]
    ours = OURS[name](*walk(count))
    if theirs != theirs:
        assert ours is None
    else:
        # Bands: TA-Lib sums squares of prices, so its own error is that of the price squared.
        allowed = 60_000 * 1e-9 if name == "bollinger" else 0
        assert ours == pytest.approx(theirs, rel=1e-9, abs=allowed)


def test_nothing_moves() -> None:
    """Constant prices: no strength, no width, no volatility; no division by zero."""
    closes = [5.0] * 40
    assert indicators.rsi(closes) == 0.0
    assert indicators.bollinger_width(closes) == 0.0
    assert indicators.atr(closes, closes, closes) == 0.0
    assert indicators.realized_volatility(closes) == 0.0


def test_volatility_is_the_root_of_the_squared_log_returns() -> None:
    """Twenty returns of ln 2; nothing from 20 bars or prices that are not positive."""
    closes = [2.0**n for n in range(21)]
    assert indicators.realized_volatility(closes) == pytest.approx(20**0.5 * 0.6931471805599453)
    assert indicators.realized_volatility(closes[1:]) is None
    assert indicators.realized_volatility([0.0] * 21) is None
