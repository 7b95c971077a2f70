"""Adjustments as Yahoo makes them."""

import math
from datetime import date, timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from connectors.simulator.stocks.adjusted import adjust, window
from connectors.simulator.stocks.histories import Dividend, Split, Traded

START = date(2026, 1, 5)
DAYS = [START + timedelta(days=number) for number in range(30)]
closes = st.lists(st.integers(100, 9000).map(float), min_size=30, max_size=30)
ratios = st.sampled_from([(2, 1), (3, 1), (3, 2), (1, 10)])
splits = st.lists(
    st.builds(lambda place, ratio: Split(DAYS[place], *ratio), st.integers(1, 29), ratios),
    max_size=3,
    unique_by=lambda split: split.day,
)
dividends = st.lists(
    st.builds(
        lambda place, half: Dividend(DAYS[place], half / 2), st.integers(1, 29), st.integers(1, 99)
    ),
    max_size=3,
    unique_by=lambda dividend: dividend.day,
)


def flat(prices: list[float]) -> Traded:
    """Bars that are nothing but a close, with 600 shares each."""
    return Traded(DAYS, prices, prices, prices, prices, [600] * len(prices))


@given(closes, splits, dividends)
def test_total_return_of_a_holder_is_that_of_adjusted_closes(
    prices: list[float], made: list[Split], paid: list[Dividend]
) -> None:
    """Who reinvests dividends and holds through splits has what the adjusted closes say."""
    series = adjust(flat(prices), made, paid)
    ratio_on = {split.day: split.ratio for split in made}
    amount_on = {dividend.day: dividend.amount for dividend in paid}
    shares = 1.0
    for place in range(1, 30):
        shares *= ratio_on.get(DAYS[place], 1.0)
        # Each dividend buys shares at the close of the day before, in shares of its own day.
        reference = prices[place - 1] / ratio_on.get(DAYS[place], 1.0)
        shares /= 1 - amount_on.get(DAYS[place], 0.0) / reference
    held = shares * prices[29] / prices[0]
    assert math.isclose(series.adjusted[29] / series.adjusted[0], held, rel_tol=1e-5)


@given(closes, splits)
def test_splits_rewrite_what_lies_before_and_nothing_else(
    prices: list[float], made: list[Split]
) -> None:
    """Price times shares stays; the days since the last split are as they were traded."""
    series = adjust(flat(prices), made, [])
    last = max((split.day for split in made), default=DAYS[0])
    for place, day in enumerate(DAYS):
        if day >= last:
            assert series.closes[place] == prices[place] and series.volumes[place] == 600
        ratio = math.prod(split.ratio for split in made if split.day > day)
        assert math.isclose(series.closes[place] * ratio, prices[place], rel_tol=1e-6)
        assert series.volumes[place] == round(600 * ratio)
    assert series.adjusted == series.closes


@given(closes, dividends)
def test_a_dividend_rewrites_only_adjusted_closes_before_it(
    prices: list[float], paid: list[Dividend]
) -> None:
    """Closes are as traded."""
    series = adjust(flat(prices), [], paid)
    assert series.closes == prices
    last = max((dividend.day for dividend in paid), default=DAYS[0])
    for place, day in enumerate(DAYS):
        same = math.isclose(series.adjusted[place], prices[place], rel_tol=1e-7)
        assert same == (day >= last)


def test_an_amount_is_for_one_of_todays_shares() -> None:
    """A dividend before a split is divided by it, one on its day is not."""
    made = [Split(DAYS[10], 5, 1)]
    paid = [Dividend(DAYS[5], 50.0), Dividend(DAYS[10], 11.0)]
    series = adjust(flat([1000.0] * 10 + [200.0] * 20), made, paid)
    assert [one.amount for one in series.dividends] == [10.0, 11.0]
    # 200 - 11 = 189 is what the day before the second ex-date is worth.
    assert math.isclose(series.adjusted[9], 189.0, rel_tol=1e-6)


def test_a_window_keeps_what_happened_in_it() -> None:
    """Columns of the same length, and the events of those days."""
    series = adjust(flat([500.0] * 30), [Split(DAYS[10], 2, 1)], [Dividend(DAYS[20], 5.0)])
    part = window(series, DAYS[10], DAYS[19])
    assert part.days == DAYS[10:20] and len(part.closes) == len(part.volumes) == 10
    assert len(part.splits) == 1 and part.dividends == []
    assert window(series, DAYS[29] + timedelta(days=1), date.max).days == []


def test_a_real_split_and_dividend_are_stated_as_yahoo_states_them() -> None:
    """4063.T of March 2023: five for one and 55 yen on one day, in Yahoo's own numbers."""
    days = [date(2023, 3, day) for day in (24, 27, 28, 29, 30, 31)]
    stated = [4177.0, 4192.0, 4142.0, 4206.0, 4161.0, 4275.0]
    prices = [5 * price for price in stated[:4]] + stated[4:]
    bars = Traded(days, prices, prices, prices, prices, [1_792_300] * 4 + [5_535_200] * 2)
    series = adjust(bars, [Split(days[4], 5, 1)], [Dividend(days[4], 55.0)])
    assert series.closes == stated
    assert series.volumes[0] == 8_961_500
    expected = [4122.379296875, 4137.183203125, 4087.837109375, 4151.0, 4161.0, 4275.0]
    assert all(map(partial(math.isclose, rel_tol=1e-6), series.adjusted, expected))
