"""Seeded histories."""

import math
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.simulator.stocks.histories import Company, Split, Traded, product
from connectors.simulator.stocks.sessions import Calendar

CALENDAR = Calendar()
symbols = st.integers(1300, 9999).map(lambda code: f"{code}.T")
days = st.dates(date(2010, 1, 1), date(2026, 12, 31))


def traded(symbol: str, first: date, last: date, *, large: bool = False) -> Traded:
    """What was traded between two days."""
    company = Company(7, symbol, large=large)
    splits = company.own_splits(last.year)
    return company.traded(CALENDAR.between(first, last), splits)


@given(symbols, days, st.booleans())
@settings(max_examples=30, deadline=None)
def test_prices_are_in_order_and_in_ticks(symbol: str, first: date, large: bool) -> None:
    """Low, open and close, high; volumes are lots of 100."""
    found = traded(symbol, first, first + timedelta(days=200), large=large)
    for low, opening, close, high, volume in zip(
        found.lows, found.opens, found.closes, found.highs, found.volumes, strict=True
    ):
        assert 0 < low <= min(opening, close) <= max(opening, close) <= high
        assert volume >= 100 and volume % 100 == 0
        tick = 0.1 if large else 1
        assert all(abs(p / tick - round(p / tick)) < 1e-6 for p in (low, opening, close, high))


@given(symbols, days)
@settings(max_examples=15, deadline=None)
def test_a_day_does_not_depend_on_the_window_asked_for(symbol: str, first: date) -> None:
    """A longer history and another beginning tell the same about it."""
    last = first + timedelta(days=60)
    short = traded(symbol, first, last)
    long = traded(symbol, first - timedelta(days=500), last + timedelta(days=500))
    a = long.days.index(short.days[0])
    part = slice(a, a + len(short.days))
    assert [column[part] for column in long] == list(short)


@given(symbols)
@settings(max_examples=20, deadline=None)
def test_no_day_moves_beyond_the_exchanges_price_limit(symbol: str) -> None:
    """The narrowest limit is 14 % for prices in whole ticks; splits aside."""
    company = Company(7, symbol)
    found = company.traded(CALENDAR.between(date(2020, 1, 1), date(2026, 12, 31)), [])
    for before, after in zip(found.closes, found.closes[1:], strict=False):
        assert abs(after - before) <= max(0.14 * before, 2), (symbol, before, after)


def test_seeds_and_symbols_differ_and_repeat() -> None:
    """Deterministic by seed and symbol."""
    session = CALENDAR.between(date(2026, 1, 1), date(2026, 3, 1))
    closes = {
        (seed, symbol): Company(seed, symbol).traded(session, []).closes
        for seed in (1, 2)
        for symbol in ("7203.T", "6758.T")
    }
    assert len({tuple(column) for column in closes.values()}) == 4
    assert closes[1, "7203.T"] == Company(1, "7203.T").traded(session, []).closes


def test_a_split_divides_what_is_traded_from_its_day_on() -> None:
    """Half the price and twice the volume, to a tick and a lot."""
    session = CALENDAR.between(date(2026, 1, 5), date(2026, 2, 27))
    company = Company(7, "7203.T", large=True)
    whole = company.traded(session, [])
    halved = company.traded(session, [Split(session[10], 2, 1)])
    assert halved.closes[:10] == whole.closes[:10]
    for before, after in zip(whole.closes[10:], halved.closes[10:], strict=True):
        assert abs(after - before / 2) <= 0.5
    assert abs(halved.volumes[20] - 2 * whole.volumes[20]) <= 100


def test_three_in_four_pay_twice_a_year() -> None:
    """In half yen, on the last session that settles within the month."""
    session = CALENDAR.between(date(2025, 1, 1), date(2026, 12, 31))
    paid = [Company(7, f"{code}.T").dividends(session, []) for code in range(2000, 2100)]
    payers = [dividends for dividends in paid if dividends]
    assert 60 <= len(payers) <= 90
    for dividends in payers:
        assert len(dividends) == 4
        assert all(one.amount % 0.5 == 0 and one.day in session for one in dividends)
        assert all(one.day.month in (3, 6, 9, 12) for one in dividends)


def test_a_dividend_is_known_on_its_day_and_not_before() -> None:
    """28 March 2026 is a Saturday: the ex-date is Friday the 27th."""
    company = next(
        company
        for company in (Company(7, f"{code}.T") for code in range(2000, 2100))
        if any(
            one.day == date(2026, 3, 27)
            for one in company.dividends(CALENDAR.between(date(2026, 1, 1), date(2026, 12, 31)), [])
        )
    )
    for last, known in ((date(2026, 3, 26), []), (date(2026, 3, 27), [date(2026, 3, 27)])):
        session = CALENDAR.between(date(2026, 1, 5), last)
        assert [one.day for one in company.dividends(session, [])] == known


def test_companies_split_now_and_then() -> None:
    """About one in 40 a year, and years that come later do not change those before."""
    splits = [Company(7, f"{code}.T").own_splits(2026) for code in range(2000, 2400)]
    assert 100 < sum(map(len, splits)) < 400
    company = Company(7, "2000.T")
    early = company.own_splits(2010)
    assert company.own_splits(2026)[: len(early)] == early
    assert company.own_splits(2026) == Company(7, "2000.T").own_splits(2026)


def test_ratios_multiply() -> None:
    """Two for three, then one for ten."""
    splits = [Split(date(2026, 1, 5), 3, 2), Split(date(2026, 1, 6), 1, 10)]
    assert math.isclose(product(splits), 0.15)
