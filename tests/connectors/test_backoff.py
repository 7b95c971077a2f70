"""Delays of retries."""

import itertools

import pytest

from connectors.backoff import Pace, delays


def test_the_bound_doubles_up_to_the_cap() -> None:
    """With the highest jitter the delays are the bounds themselves."""
    highest = delays(0.5, 3.0, uniform=lambda _, high: high)
    assert list(itertools.islice(highest, 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_jitter_is_full() -> None:
    """The lower bound of every delay is zero."""
    lows: list[float] = []

    def lowest(low: float, _: float) -> float:
        lows.append(low)
        return low

    assert list(itertools.islice(delays(uniform=lowest), 4)) == [0.0] * 4
    assert lows == [0.0] * 4


def test_it_never_ends() -> None:
    """Thousands of tries later there is still a delay, never above the cap."""
    assert max(itertools.islice(delays(0.1, 2.0), 5000)) <= 2.0


@pytest.mark.parametrize(("base", "cap"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)])
def test_senseless_bounds_are_refused(base: float, cap: float) -> None:
    """A base or cap of zero would be a busy loop."""
    with pytest.raises(ValueError, match="must be positive"):
        next(delays(base, cap))


def test_a_burst_goes_at_once_and_then_the_pace_is_even() -> None:
    """Three calls without waiting, then one an interval."""
    pace = Pace(interval=2.0, burst=3)
    assert [pace.wait(100.0) for _ in range(5)] == [0, 0, 0, 2.0, 4.0]


def test_a_pause_earns_the_burst_again_and_no_more() -> None:
    """However long the pause was."""
    pace = Pace(interval=1.0, burst=2)
    for _ in range(4):
        pace.wait(0.0)
    assert [pace.wait(1_000.0) for _ in range(3)] == [0, 0, 1.0]
