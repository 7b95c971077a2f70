"""RecentTracker against a set-based model."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.feed.recent import RecentTracker, restore_recent
from connectors.feed.sequence import Range

IDS = st.lists(st.integers(min_value=1, max_value=60), max_size=120)


@given(IDS)
def test_each_id_is_new_once_whatever_numbers_are_left_out(ids: list[int]) -> None:
    """While nothing is forgotten it is a set, and it never takes a left-out number for a hole."""
    tracker = RecentTracker()
    seen: set[int] = set()
    for sequence in ids:
        assert tracker.accept(sequence, 0) == (sequence not in seen)
        seen.add(sequence)
        assert (tracker.last, tracker.holes) == (max(seen), [])


@given(IDS, st.integers(min_value=1, max_value=5))
def test_memory_is_bounded_and_nothing_is_new_twice(ids: list[int], max_ids: int) -> None:
    """What was forgotten counts as seen, with all below it."""
    tracker = RecentTracker(max_ids=max_ids)
    seen: set[int] = set()
    for sequence in ids:
        if tracker.accept(sequence, 0):
            assert sequence not in seen
            seen.add(sequence)
        assert len(tracker._order) <= max_ids
        assert len(tracker._seen) <= max_ids


def test_a_range_that_rest_did_not_account_for_is_a_hole_until_it_is_closed() -> None:
    """It knows the time of the last trade before it, which is what REST is asked with."""
    tracker = RecentTracker()
    tracker.accept(70, 5_000)
    assert tracker.since(71) == 5_000
    tracker.miss(71, 94, 9_000, 5_000)
    tracker.accept(95, 8_000)
    assert (tracker.settled, tracker.since(71)) == (70, 5_000)
    assert [(h.low, h.high) for h in tracker.overdue(9_000_000, 1_000_000)] == [(71, 94)]
    assert tracker.accept(80, 6_000)
    tracker.close(71, 94)
    assert (tracker.untold(), tracker.settled) == ([], 95)


def test_a_hole_below_what_is_remembered_is_given_up_and_named() -> None:
    """Its trades could no longer be told from duplicates."""
    tracker = RecentTracker(max_ids=2)
    tracker.accept(10, 0)
    tracker.miss(11, 19, 0, 0)
    for sequence in (20, 21, 22):
        tracker.accept(sequence, 0)
    assert (tracker.dropped, tracker.holes) == ([Range(11, 19)], [])
    assert not tracker.accept(15, 0)


def test_a_restored_tracker_goes_on_where_the_former_one_ended() -> None:
    """Ids of the tail and all up to its oldest report are known, one that was late is not."""
    tracker = restore_recent(50, 90, {60: 6, 80: 8, 90: 9})
    assert [tracker.accept(i, 10) for i in (50, 60, 70, 80, 90)] == [
        *(False, False, True, False, False)
    ]
    assert (tracker.next, tracker.since(91)) == (91, 9)


def test_a_quiet_symbol_is_restored_from_the_report_alone() -> None:
    """Its last id is known, its time is not."""
    tracker = restore_recent(50, 50, {})
    assert (tracker.last, tracker.since(51), tracker.accept(50, 0)) == (50, 0, False)


def test_an_id_that_was_dropped_is_missing_until_it_comes_or_rest_accounts_for_it() -> None:
    """Drops in a row are one range, asked for from the time of the last trade before it."""
    tracker = RecentTracker()
    tracker.accept(70, 7_000)
    for sequence in (75, 78, 70):
        tracker.expect(sequence, 8_000)
    assert [(h.low, h.high, h.after) for h in tracker.holes] == [(71, 78, 7_000)]
    assert tracker.settled == 70
    assert tracker.accept(80, 9_000) and tracker.accept(75, 9_000)
    tracker.close(71, 78)
    assert tracker.settled == 80
