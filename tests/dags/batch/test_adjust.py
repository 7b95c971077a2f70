"""When stored history does not fit any more."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.stocks.bars import Bar
from dags.batch.adjust import History, StoredBar, provisional_from, rewritten, whole
from tests.dags.batch.parts import day
from tests.dags.batch.source import bars_of

BARS = bars_of("7203.T")[20:]


def history(bars: list[Bar], last: int = 29) -> History:
    """Sessions 0 to `last` are stored, with the values of `bars`; the last one is provisional."""
    overlap = {
        bar.trade_date: StoredBar(
            bar.close, bar.adj_close, bar.dividends, bar.splits, bar.trade_date == day(last)
        )
        for bar in bars
        if bar.trade_date <= day(last)
    }
    return History(day(0), day(last), overlap)


def changed(number: int, **values: float) -> list[Bar]:
    """BARS with other values in one session."""
    return [
        bar._replace(**values) if bar.trade_date == day(number) else bar  # type: ignore[arg-type]
        for bar in BARS
    ]


@given(st.floats(-9e-5, 9e-5))
def test_noise_is_no_rewriting(noise: float) -> None:
    """Prices that differ by less than the tolerance are the same."""
    noisy = [
        bar._replace(
            close=(bar.close or 0) * (1 + noise), adj_close=(bar.adj_close or 0) * (1 + noise)
        )
        for bar in BARS
    ]
    assert not rewritten(noisy, history(BARS))


@given(st.floats(2e-4, 10))
def test_another_close_is(factor: float) -> None:
    """In any session of the overlap."""
    close = BARS[3].close or 0
    assert rewritten(changed(23, close=close * (1 + factor)), history(BARS))
    assert rewritten(changed(23, adj_close=close * 0.98 * (1 + factor)), history(BARS))


def test_a_provisional_close_may_be_corrected() -> None:
    """That is what the word means."""
    assert not rewritten(changed(29, close=1.0), history(BARS))


def test_a_new_split_rewrites() -> None:
    """Unless it is stored already, or nothing before it is."""
    split = changed(33, splits=2.0)
    assert rewritten(split, history(BARS))
    assert not rewritten(split, History(None, None, {}))
    assert not rewritten(changed(25, splits=2.0), history(changed(25, splits=2.0)))


def test_a_new_dividend_rewrites() -> None:
    """The adjusted closes of all sessions before it; once it is stored it says nothing more."""
    paid = changed(33, dividends=12.5)
    assert rewritten(paid, history(BARS))
    assert not rewritten(paid, History(None, None, {}))
    assert not rewritten(changed(25, dividends=12.5), history(changed(25, dividends=12.5)))
    assert rewritten(changed(25, dividends=12.5), history(BARS)), "one that was told late"


def test_all_that_is_stored_is_fetched_anew() -> None:
    """And the window that was asked for, but no session after a backfill's."""
    stored = History(day(3), day(20), {})
    assert whole(day(10), None, stored) == (day(3), None)
    assert whole(day(1), None, stored) == (day(1), None)
    assert whole(day(10), day(10), stored) == (day(3), day(20))
    assert whole(day(30), day(30), stored) == (day(3), day(30))
    assert whole(day(30), day(30), History(None, None, {})) == (day(30), day(30))


def test_a_close_that_is_not_known_says_nothing() -> None:
    """On either side."""
    unknown = [bar._replace(close=None, adj_close=None) for bar in BARS]
    assert not rewritten(unknown, history(BARS))
    assert not rewritten(BARS, history(unknown))


def test_the_newest_session_is_provisional() -> None:
    """Unless a later one is stored, or there is none."""
    assert provisional_from(BARS, day(29)) == day(39)
    assert provisional_from(BARS, None) == day(39)
    assert provisional_from(BARS[:5], day(29)) is None
    assert provisional_from([], None) is None
