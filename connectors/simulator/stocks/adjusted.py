"""A history as Yahoo states it: adjusted for what is known today.

Prices, volumes and dividends are those of today's shares: each split rewrites all that lies
before it. Adjusted closes leave out dividends too: a dividend of D whose holders had a close of C
multiplies all earlier ones by 1 - D / C. Numbers are rounded to single precision, as Yahoo's are.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from connectors.simulator.stocks.histories import Dividend, Split, Traded, product


class Series(NamedTuple):
    """Columns of daily bars, oldest first, and the events in their days."""

    days: list[date]
    opens: list[float]
    highs: list[float]
    lows: list[float]
    closes: list[float]
    adjusted: list[float]
    """Closes without splits and dividends."""
    volumes: list[int]
    dividends: list[Dividend]
    """For one of today's shares."""
    splits: list[Split]
    """On sessions."""


def adjust(traded: Traded, splits: Sequence[Split], dividends: Sequence[Dividend]) -> Series:
    """The whole history as of its last day; all splits and dividends are on its days."""
    later = product(splits)
    waiting = sorted(splits)
    factors = []
    for day in traded.days:
        while waiting and waiting[0].day <= day:
            later /= waiting.pop(0).ratio
        factors.append(later)
    closes = _divided(traded.closes, factors)
    factor_on = dict(zip(traded.days, factors, strict=True))
    paid = [Dividend(one.day, _single([one.amount / factor_on[one.day]])[0]) for one in dividends]
    return Series(
        days=list(traded.days),
        opens=_divided(traded.opens, factors),
        highs=_divided(traded.highs, factors),
        lows=_divided(traded.lows, factors),
        closes=closes,
        adjusted=_without_dividends(traded.days, closes, paid),
        volumes=[round(v * f) for v, f in zip(traded.volumes, factors, strict=True)],
        dividends=paid,
        splits=sorted(splits),
    )


def window(series: Series, first: date, last: date) -> Series:
    """The part of a series with days in [first, last]."""
    a, b = bisect_left(series.days, first), bisect_right(series.days, last)
    return Series(
        days=series.days[a:b],
        opens=series.opens[a:b],
        highs=series.highs[a:b],
        lows=series.lows[a:b],
        closes=series.closes[a:b],
        adjusted=series.adjusted[a:b],
        volumes=series.volumes[a:b],
        dividends=[one for one in series.dividends if first <= one.day <= last],
        splits=[one for one in series.splits if first <= one.day <= last],
    )


def _without_dividends(
    days: Sequence[date], closes: list[float], dividends: Sequence[Dividend]
) -> list[float]:
    amounts = {one.day: one.amount for one in dividends}
    part = 1.0
    found = []
    for place in range(len(days) - 1, -1, -1):
        found.append(closes[place] * part)
        if days[place] in amounts and place > 0:
            part *= 1 - amounts[days[place]] / closes[place - 1]
    return _single(found[::-1])


def _divided(values: list[float], factors: list[float]) -> list[float]:
    return _single([value / factor for value, factor in zip(values, factors, strict=True)])


def _single(values: list[float]) -> list[float]:
    return array("f", values).tolist()
