"""BookSync: which updates are published, in which chain."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.books import OrderBook
from connectors.events import BookUpdate
from connectors.feed.books import BookSync, Break


def update(first: int, last: int, *, snapshot: bool = False, size: str = "1") -> BookUpdate:
    """A book event of the ids ``first``..``last`` that sets one level per id."""
    levels = [(f"{number}.5", size) for number in range(first, last + 1)]
    head = ("binance", "BTC-USDT", "BTCUSDT", 1, 1, "binance-1", "venue", 1)
    return BookUpdate(*head, snapshot, levels, [], last, first - 1, 1)


def test_updates_before_a_streams_snapshot_are_of_no_use() -> None:
    """Nothing is published before it, all that continues it is."""
    sync = BookSync(by_rest=False)
    assert sync.take(update(1, 2)) is None
    snapshot, following = update(1, 5, snapshot=True), update(6, 8)
    assert (sync.take(snapshot), sync.take(following)) == (snapshot, following)
    assert sync.broken is None


def test_a_hole_breaks_the_chain_until_the_next_snapshot() -> None:
    """The range is named; what follows is not published."""
    sync = BookSync(by_rest=False)
    sync.take(update(1, 5, snapshot=True))
    assert sync.take(update(8, 9)) is None
    assert sync.broken == Break("update after 7 does not continue 5", 6, 7)
    assert sync.take(update(10, 10)) is None
    again = update(1, 20, snapshot=True)
    assert sync.take(again) is again


def test_a_chain_that_says_it_is_broken_is_broken() -> None:
    """Parsers give -1 for the last sequence where frames of the connection never came."""
    sync = BookSync(by_rest=False)
    sync.take(update(1, 5, snapshot=True))
    assert sync.take(update(0, 9)) is None
    assert sync.broken == Break("update after -1 does not continue 5", 6, 8)


def test_rest_snapshot_and_stream_are_joined_as_binance_documents() -> None:
    """What the snapshot holds is dropped, the overlapping update continues it."""
    sync = BookSync(by_rest=True)
    for first, last in ((3, 4), (5, 8), (9, 9)):
        assert sync.take(update(first, last)) is None
    joined = sync.join(update(1, 6, snapshot=True))
    assert joined is not None
    assert [(u.prev_sequence, u.sequence) for u in joined] == [(0, 6), (6, 8), (8, 9)]
    assert sync.take(update(10, 11)) == update(10, 11)


def test_a_snapshot_older_than_the_first_update_is_asked_for_again() -> None:
    """Something between them is missing; what waits is kept for the next answer."""
    sync = BookSync(by_rest=True)
    sync.take(update(10, 12))
    assert sync.join(update(1, 8, snapshot=True)) is None
    assert not sync.live
    assert len(sync.join(update(1, 9, snapshot=True)) or ()) == 2


def test_a_break_while_rest_is_asked_needs_a_snapshot_from_behind_it() -> None:
    """Updates before the hole are forgotten."""
    sync = BookSync(by_rest=True)
    sync.take(update(10, 12))
    sync.take(update(15, 16))
    assert sync.join(update(1, 11, snapshot=True)) is None
    assert len(sync.join(update(1, 14, snapshot=True)) or ()) == 2


def test_what_waits_is_bounded() -> None:
    """The oldest goes; a snapshot from before it is then too old."""
    sync = BookSync(by_rest=True, max_kept=2)
    for number in (5, 6, 7):
        sync.take(update(number, number))
    assert sync.join(update(1, 4, snapshot=True)) is None
    assert len(sync.join(update(1, 5, snapshot=True)) or ()) == 3


CUTS = st.lists(st.integers(min_value=1, max_value=4), min_size=1, max_size=15)


@given(CUTS, CUTS, st.data())
def test_two_connections_and_losses_never_publish_a_wrong_book(
    first: list[int], second: list[int], data: st.DataObject
) -> None:
    """Two streams of one venue, cut differently, some frames lost: each book published is right.

    Level n is set to size n by id n, so the book at sequence s has the levels 1..s.
    """
    frames: list[BookUpdate] = []
    for cuts in (first, second):
        low = 1
        for length in cuts:
            frames.append(update(low, low + length - 1))
            low += length
    order = data.draw(st.permutations(range(len(frames))))
    sync, book = BookSync(by_rest=True), OrderBook()
    highest = 0
    for index in order[: data.draw(st.integers(0, len(order)))]:
        highest = max(highest, frames[index].sequence)
        published = [sync.take(frames[index])]
        sync.broken = None
        if not sync.live and data.draw(st.booleans()):
            published = list(sync.join(update(1, highest, snapshot=True)) or ())
        for event in published:
            if event is not None:
                book.apply(event)
                assert list(book.bids) == [f"{n}.5" for n in range(book.sequence or 0, 0, -1)]
