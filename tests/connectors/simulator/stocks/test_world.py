"""The state of the simulated market."""

from datetime import date

import pytest

from tests.connectors.simulator.stocks.harness import TODAY, world


def test_data_goes_back_the_years_asked_for_or_to_the_listing() -> None:
    """Up to the last session."""
    market = world(symbols=300)
    first = {
        symbol: market.series(symbol).days[0]
        for symbol, issue in market.issues.items()
        if issue.ordinary
    }
    assert min(first.values()) == date(2024, 11, 20) == market.since
    for symbol, day in first.items():
        assert day >= market.issues[symbol].listed
    assert len(set(first.values())) > 3
    assert market.series("7203.T").days[-1] == TODAY


def test_time_brings_new_bars_and_leaves_the_old_ones() -> None:
    """Unless a split or dividend becomes known."""
    market = world()
    before = market.series("6758.T")
    market.set_today(date(2026, 11, 25))
    after = market.series("6758.T")
    assert after.days[-2:] == [date(2026, 11, 24), date(2026, 11, 25)]
    assert after.closes[:-2] == before.closes and after.volumes[:-2] == before.volumes


def test_a_split_rewrites_history_once_its_day_has_come() -> None:
    """Half the prices, twice the shares, and its event."""
    market = world()
    before = market.series("7203.T")
    market.split("7203.T", date(2026, 11, 24), 2, 1)
    assert market.series("7203.T") == before
    market.set_today(date(2026, 11, 24))
    after = market.series("7203.T")
    assert after.closes[:-1] == pytest.approx([close / 2 for close in before.closes])
    assert after.volumes[:-1] == [2 * volume for volume in before.volumes]
    assert after.splits[-1] == (date(2026, 11, 24), 2, 1)
    assert after.closes[-1] == pytest.approx(after.closes[-2], rel=0.1)


@pytest.mark.parametrize(
    ("symbol", "day", "ratio", "hint"),
    [
        ("0000.T", TODAY, (2, 1), "not listed"),
        ("7203.T", date(2026, 11, 22), (2, 1), "no session"),
        ("7203.T", date(2020, 11, 20), (2, 1), "no session"),
        ("7203.T", TODAY, (2, 2), "no split"),
        ("7203.T", TODAY, (0, 1), "no split"),
    ],
)
def test_splits_that_cannot_be_are_refused(
    symbol: str, day: date, ratio: tuple[int, int], hint: str
) -> None:
    """The error says why."""
    with pytest.raises(ValueError, match=hint):
        world().split(symbol, day, *ratio)


def test_issues_come_and_go_and_a_reset_brings_them_back() -> None:
    """A newcomer trades from today's session on."""
    market = world()
    before = market.listed()
    market.delist("7203")
    market.add("999A")
    assert market.series("999A.T").days == [TODAY]
    with pytest.raises(KeyError):
        market.series("7203.T")
    with pytest.raises(ValueError, match="not listed"):
        market.delist("7203")
    with pytest.raises(ValueError, match="listed already"):
        market.add("999A")
    market.reset()
    assert market.listed() == before


def test_another_seed_makes_another_market() -> None:
    """The same one makes the same."""
    assert world().series("7203.T") == world().series("7203.T")
    assert world().series("7203.T") != world(seed=8).series("7203.T")


def test_days_before_the_data_are_refused() -> None:
    """For the clock and for the beginning."""
    with pytest.raises(ValueError, match="after 2024-11-20"):
        world().set_today(date(2024, 11, 20))
    with pytest.raises(ValueError, match="fewer years"):
        world(years=30)
