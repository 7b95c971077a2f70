"""SequenceTracker against a set-based model."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.feed.sequence import Missing, Range, SequenceTracker, coalesce, restore

IDS = st.lists(st.integers(min_value=1, max_value=60), max_size=120)


@given(IDS)
def test_a_fresh_tracker_accepts_each_id_exactly_once(ids: list[int]) -> None:
    """Without a floor every id is new the first time and a duplicate afterwards."""
    tracker = SequenceTracker()
    seen: set[int] = set()
    for sequence in ids:
        assert tracker.accept(sequence, 0) == (sequence not in seen)
        seen.add(sequence)
        holes = {i for hole in tracker.holes for i in range(hole.low, hole.high + 1)}
        assert holes == set(range(min(seen), max(seen) + 1)) - seen
        assert tracker.last == max(seen)


@given(IDS, st.integers(min_value=0, max_value=60))
def test_ids_up_to_the_floor_are_duplicates(ids: list[int], floor: int) -> None:
    """What a former process had settled is not published again."""
    tracker = SequenceTracker(floor)
    seen = set(range(floor + 1))
    for sequence in ids:
        assert tracker.accept(sequence, 0) == (sequence not in seen)
        seen.add(sequence)
        holes = {i for hole in tracker.holes for i in range(hole.low, hole.high + 1)}
        assert holes == set(range(floor + 1, max(seen) + 1)) - seen


@given(IDS, st.integers(min_value=1, max_value=4))
def test_memory_is_bounded_and_what_is_dropped_is_named(ids: list[int], max_holes: int) -> None:
    """There are never more holes than allowed; ids not seen are in a hole or were dropped."""
    tracker = SequenceTracker(0, max_holes)
    seen: set[int] = set()
    for sequence in ids:
        if tracker.accept(sequence, 0):
            assert sequence not in seen
            seen.add(sequence)
        assert len(tracker.holes) <= max_holes
    holes = {i for hole in tracker.holes for i in range(hole.low, hole.high + 1)}
    dropped = {i for gap in tracker.dropped for i in range(gap.low, gap.high + 1)}
    assert holes | dropped | seen >= set(range(1, (tracker.last or 0) + 1))


@given(IDS, st.data())
def test_a_restored_tracker_goes_on_where_the_former_one_ended(
    ids: list[int], data: st.DataObject
) -> None:
    """Settled id and tail are enough to know every id that was published."""
    former = SequenceTracker(0)
    for sequence in ids:
        former.accept(sequence, 0)
    settled = former.settled
    assert settled is not None
    tail = {i for i in ids if i > settled} | set(data.draw(st.lists(st.sampled_from(ids or [0]))))
    tracker = restore(settled, dict.fromkeys(tail, 0))
    for sequence in range(1, 62):
        assert tracker.accept(sequence, 0) == former.accept(sequence, 0)


def test_a_hole_becomes_overdue_in_venue_time_and_is_asked_once() -> None:
    """Only venue time counts, and a hole that was asked for is not named again."""
    tracker = SequenceTracker(10)
    tracker.accept(13, 1_000_000)
    assert tracker.overdue(3_500_000, 2_500_000) == []
    overdue = tracker.overdue(3_500_001, 2_500_000)
    assert overdue == [Missing(11, 12, 1_000_000)]
    overdue[0].asked = True
    assert tracker.overdue(9_000_000, 2_500_000) == []


def test_a_missing_range_says_when_the_trade_before_it_was() -> None:
    """Kraken is asked from that time on: its newest page would not reach back far enough."""
    tracker = restore(10, {9: 400, 10: 500})
    assert tracker.since(11) == 500
    tracker.accept(11, 600)
    tracker.accept(20, 900)
    assert (tracker.since(12), tracker.since(21), tracker.since(3)) == (600, 900, 0)
    tracker.accept(15, 700)
    assert [(hole.low, hole.high, hole.after) for hole in tracker.holes] == [
        (12, 14, 600),
        (16, 19, 700),
    ]
    tracker.accept(12, 650)
    assert tracker.since(13) == 650
    assert restore(10, {}).since(11) == 0


def test_an_id_that_was_dropped_is_missing_at_once_and_new_when_it_comes() -> None:
    """Drops in a row are one hole; what is known already is no hole."""
    tracker = restore(10, {10: 500})
    for sequence in (11, 12, 13, 9):
        tracker.expect(sequence, 600)
    assert tracker.holes == [Missing(11, 13, 600, after=500)]
    assert [tracker.accept(i, 600) for i in (14, 12, 9)] == [True, True, False]
    fresh = SequenceTracker()
    fresh.expect(7, 100)
    assert [(hole.low, hole.high) for hole in fresh.holes] == [(7, 7)]
    assert fresh.settled == 6


def test_a_told_gap_is_told_once_and_its_ids_are_still_new() -> None:
    """An id that comes after its gap was published is published all the same."""
    tracker = SequenceTracker(10)
    tracker.accept(13, 0)
    assert tracker.settled == 10
    assert tracker.tell(11, 12) == [Range(11, 12)]
    assert tracker.tell(11, 12) == []
    assert tracker.settled == 13
    assert tracker.accept(12, 0)


def test_without_a_reported_id_the_lowest_one_seen_is_the_start() -> None:
    """A tail without heartbeats still prevents duplicates."""
    tracker = restore(None, {7: 0, 9: 0})
    assert [tracker.accept(i, 0) for i in (6, 7, 8, 9, 10)] == [False, False, True, False, True]


def test_an_empty_tail_restores_a_fresh_tracker() -> None:
    """A new symbol starts without a floor."""
    assert restore(None, {}).next is None


def test_small_holes_near_each_other_are_asked_for_together() -> None:
    """One page brings a thousand trades, so neighbours share a request."""
    holes = [
        Missing(1, 2, 0),
        Missing(900, 1000, 0),
        Missing(1001, 1001, 0),
        Missing(5000, 9000, 0),
    ]
    assert coalesce(holes) == [Range(1, 1000), Range(1001, 1001), Range(5000, 9000)]
