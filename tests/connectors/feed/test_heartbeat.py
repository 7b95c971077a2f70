"""HeartbeatClock: event time between events."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.feed.heartbeat import HeartbeatClock

SECOND = 1_000_000
TIME = 1_609_459_200 * SECOND  # 2021: never near the wall clock


def test_there_is_none_before_the_first_event() -> None:
    """A feed that has brought nothing does not move time."""
    clock = HeartbeatClock()
    assert [clock.tick(float(second)) for second in range(5)] == [None] * 5


def test_time_runs_on_from_the_last_event_minus_the_margin() -> None:
    """A silent market's time moves second by second, behind by the margin."""
    clock = HeartbeatClock(margin=2.0)
    clock.event(TIME)
    assert [clock.tick(float(second)) for second in range(4)] == [
        TIME - 2 * SECOND,
        TIME - SECOND,
        TIME,
        TIME + SECOND,
    ]


def test_replay_multiplies_the_elapsed_time() -> None:
    """At 200x a second of silence is 200 seconds of event time; so is one of the margin."""
    clock = HeartbeatClock(margin=2.0, speed=200.0)
    clock.event(TIME)
    clock.tick(0.0)
    ticks = [clock.tick(now) for now in (1.0, 2.0, 3.0)]
    assert ticks == [TIME - 200 * SECOND, TIME, TIME + 200 * SECOND]


def test_a_late_tick_is_silent_and_its_time_does_not_count() -> None:
    """While the loop was busy frames went unread: no heartbeat may overtake them."""
    clock = HeartbeatClock(margin=2.0)
    clock.event(TIME)
    assert clock.tick(0.0) == TIME - 2 * SECOND
    assert clock.tick(10.0) is None
    assert clock.tick(11.0) == TIME - SECOND


def test_while_frames_are_left_unread_time_stands_still() -> None:
    """Kafka is full, the socket is not read: elapsed time does not count."""
    clock = HeartbeatClock(margin=2.0)
    clock.event(TIME)
    clock.tick(0.0)
    assert [clock.tick(float(second), stalled=True) for second in (1, 2, 3)] == [None] * 3
    assert clock.tick(4.0) == TIME - SECOND


def test_while_holding_it_is_silent_and_afterwards_time_has_run_on() -> None:
    """After a hold everything up to now was published, so time did pass."""
    clock = HeartbeatClock(margin=2.0)
    clock.event(TIME)
    clock.tick(0.0)
    assert [clock.tick(float(second), quiet=True) for second in (1, 2, 3)] == [None] * 3
    assert clock.tick(4.0) == TIME + 2 * SECOND


STEPS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(min_value=-5 * SECOND, max_value=60 * SECOND)),
        st.floats(min_value=0.9, max_value=3.0),
        st.booleans(),
        st.booleans(),
    )
)


@given(STEPS)
def test_it_never_falls_and_never_passes_the_elapsed_time(
    steps: list[tuple[int | None, float, bool, bool]],
) -> None:
    """Whatever happens, values rise and stay behind highest venue time + elapsed - margin."""
    clock = HeartbeatClock(margin=2.0)
    now, highest, at = 0.0, None, 0.0
    last: int | None = None
    for offset, pause, quiet, stalled in steps:
        now += pause
        if offset is not None:
            clock.event(TIME + offset)
            if highest is None or TIME + offset >= highest:
                highest, at = TIME + offset, now
        value = clock.tick(now, quiet, stalled)
        if value is None:
            continue
        assert highest is not None and not quiet and not stalled
        assert value <= highest + round((now - at) * SECOND) - 2 * SECOND + 1
        assert last is None or value > last
        last = value
