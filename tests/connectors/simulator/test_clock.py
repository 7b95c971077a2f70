"""The simulated clock: catch-up, speed, pause."""

import pytest

from connectors.simulator.clock import Clock, parse_duration, parse_speed, parse_start


class Hands:
    """Wall and monotonic time, moved by the test."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def advance(clock: Clock, hands: Hands, seconds: float) -> None:
    """Let real time pass and use all of what the clock allows."""
    hands.seconds += seconds
    clock.now_us = clock.target()


def test_catch_up_reaches_the_wall_clock_and_follows_it() -> None:
    """200 times until now, then exactly the wall clock."""
    hands = Hands()
    start = round((hands.seconds - 600) * 1e6)
    clock = Clock(start, catch_up=200.0, wall=hands, monotonic=hands)
    advance(clock, hands, 1.0)
    assert clock.now_us == start + 200_000_000 and clock.rate == 200.0
    advance(clock, hands, 3.0)
    assert clock.now_us == round(hands.seconds * 1e6) and clock.rate == 1.0
    advance(clock, hands, 0.5)
    assert clock.now_us == round(hands.seconds * 1e6)


def test_speed_is_kept_for_ever() -> None:
    """Without a catch-up the wall clock does not matter."""
    hands = Hands()
    clock = Clock(0, speed=5.0, wall=hands, monotonic=hands)
    advance(clock, hands, 2.0)
    assert clock.now_us == 10_000_000


def test_pause_stops_time_and_is_not_made_up_for() -> None:
    """After a pause time goes on from where it stood."""
    hands = Hands()
    clock = Clock(0, wall=hands, monotonic=hands)
    advance(clock, hands, 1.0)
    clock.paused = True
    advance(clock, hands, 10.0)
    assert clock.now_us == 1_000_000 and clock.rate == 0.0
    hands.seconds += 5.0
    clock.resume()
    advance(clock, hands, 1.0)
    assert clock.now_us == 2_000_000


def test_unused_time_is_forgotten() -> None:
    """A market that cannot keep up runs slower instead of piling up work."""
    hands = Hands()
    clock = Clock(0, speed=10.0, wall=hands, monotonic=hands)
    hands.seconds += 1.0
    assert clock.target() == 10_000_000
    clock.now_us = 4_000_000
    hands.seconds += 1.0
    assert clock.target() == 14_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("15m", 900.0), ("2h", 7200.0), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    """A number and a unit; seconds without one."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2 hours", "-5s", "h"])
def test_bad_durations_are_refused(text: str) -> None:
    """The error shows what would be right."""
    with pytest.raises(ValueError, match="90s, 15m, 2h"):
        parse_duration(text)


def test_speeds_and_starts() -> None:
    """The x is optional; a start without a zone is UTC."""
    assert parse_speed("200x") == 200.0 == parse_speed("200")
    with pytest.raises(ValueError, match="not a speed"):
        parse_speed("0x")
    assert parse_start("2026-03-08T02:30:00") == 1_772_937_000_000_000
    assert parse_start("2026-03-08T02:30:00+09:00") == 1_772_904_600_000_000
