"""The comparison of what was stored with what was served: equal, and every way not to be."""

from datetime import date

import pytest

from docker.batch.check import Verdict, compare
from docker.batch.upstream import Bar

ONE: Bar = (date(2026, 11, 19), 100.0, 110.0, 90.0, 105.0, 52.5, 1000, 0.0, 0.0)
TWO: Bar = (date(2026, 11, 20), 105.0, 115.0, 95.0, 106.0, 53.0, 2000, 1.5, 2.0)
TRUTH: dict[str, list[Bar]] = {"7203.T": [ONE, TWO], "130A.T": [ONE]}


def judge(
    stored: dict[str, list[Bar]], completed: set[str] | None = None, served: set[str] | None = None
) -> Verdict:
    """The verdict where both symbols were served and completed, unless said otherwise."""
    both = set(TRUTH)
    return compare(
        both if served is None else served,
        both if completed is None else completed,
        sorted(stored.items()),
        TRUTH.__getitem__,
    )


def test_what_was_served_and_is_stored_is_equal() -> None:
    """Symbols and bars are counted on both sides."""
    verdict = judge(TRUTH)
    assert verdict.equal
    assert verdict.line() == "EQUAL: 2 symbols served, 2 stored; 3 bars served, 3 stored"


def test_prices_may_differ_as_doubles_do() -> None:
    """The last digit of a price that went through text is no difference."""
    assert judge({**TRUTH, "130A.T": [(ONE[0], 100.00000000000001, *ONE[2:])]}).equal


@pytest.mark.parametrize(
    "bars",
    [
        [],
        [ONE, TWO],
        [TWO],
        [(*ONE[:4], 105.01, *ONE[5:])],
        [(*ONE[:6], 1001, *ONE[7:])],
        [(*ONE[:5], None, *ONE[6:])],
        [(*ONE[:8], 2.0)],
    ],
    ids=["none", "one more", "another day", "close", "volume", "no adj_close", "split"],
)
def test_a_symbol_with_other_bars_is_named(bars: list[Bar]) -> None:
    """One wrong value is enough."""
    verdict = judge({"7203.T": TRUTH["7203.T"], "130A.T": bars})
    assert verdict.differing == ["130A.T"]
    assert "NOT EQUAL" in verdict.line()
    assert "1 differ (130A.T)" in verdict.line()


def test_served_symbol_that_is_not_stored_is_a_difference() -> None:
    """Its bars count as served."""
    verdict = judge({"7203.T": TRUTH["7203.T"]})
    assert verdict.differing == ["130A.T"]
    assert (verdict.bars_served, verdict.bars_stored) == (3, 2)


def test_served_symbol_that_the_batch_does_not_call_completed_is_told() -> None:
    """Stored, but the state says something else."""
    verdict = judge(TRUTH, completed={"7203.T"})
    assert not verdict.equal
    assert verdict.not_completed == ["130A.T"]


@pytest.mark.parametrize("completed", [{"7203.T", "130A.T"}, {"7203.T"}])
def test_symbol_that_was_never_served_cannot_be_there(completed: set[str]) -> None:
    """Completed or with bars: neither can be without an answer. It is named once."""
    verdict = judge(TRUTH, completed=completed, served={"7203.T"})
    assert not verdict.equal
    assert verdict.not_served == ["130A.T"]


def test_nothing_served_is_not_equal() -> None:
    """A batch that did nothing at all has proved nothing."""
    assert not judge({}, completed=set(), served=set()).equal
