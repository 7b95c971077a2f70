"""Conflation keeps the end state."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.events import BookUpdate, Quote
from connectors.kafka.conflate import Conflator, merge_books

HEAD = ("binance", "BTC-USDT", "BTCUSDT", 1, 2, "t", "venue", 1)
PRICES = st.sampled_from(["1", "2", "3", "4", "5"])
SIDE = st.dictionaries(PRICES, st.sampled_from(["0", "1.5", "2", "7"]), max_size=4).map(
    lambda side: list(side.items())
)
CHANGES = st.lists(st.tuples(st.booleans(), SIDE, SIDE), min_size=1, max_size=12)
Sides = tuple[dict[str, str], dict[str, str]]


def book(sequence: int, previous: int, snapshot: bool, bids: object, asks: object) -> BookUpdate:
    """A book update of BTC-USDT."""
    return BookUpdate(*HEAD, snapshot, bids, asks, sequence, previous, 1)  # type: ignore[arg-type]


def updates(changes: list[tuple[bool, object, object]]) -> list[BookUpdate]:
    """A chain of updates."""
    return [book(n + 1, n, *change) for n, change in enumerate(changes)]


def apply(state: Sides, update: BookUpdate) -> Sides:
    """A reader's book after an update: the plain rule, size zero removes."""
    if update.is_snapshot:
        state = ({}, {})
    sides = (dict(state[0]), dict(state[1]))
    for side, levels in zip(sides, (update.bids, update.asks), strict=True):
        for price, size in levels:
            side[price] = size
            if float(size) == 0:
                del side[price]
    return sides


START: Sides = ({"1": "9", "2": "9"}, {"4": "9"})


@given(CHANGES)
def test_applying_the_merged_update_equals_applying_all(
    changes: list[tuple[bool, object, object]],
) -> None:
    """One merged update has the effect of the chain, and says how many it stands for."""
    chain = updates(changes)
    merged, expected = chain[0], apply(START, chain[0])
    for update in chain[1:]:
        merged = merge_books(merged, update)
        expected = apply(expected, update)
    assert apply(START, merged) == expected
    assert (merged.sequence, merged.merged) == (len(chain), len(chain))
    if not merged.is_snapshot:
        assert merged.prev_sequence == 0


@given(CHANGES, st.integers(min_value=0, max_value=11))
def test_a_break_of_the_chain_stays_visible(
    changes: list[tuple[bool, object, object]], broken: int
) -> None:
    """What comes out continues exactly where the input did; a hole is never merged away."""
    chain = updates([(False, bids, asks) for _, bids, asks in changes])
    kept = [update for n, update in enumerate(chain) if n != broken]
    conflator = Conflator()
    for update in kept:
        conflator.add(update)
    out = conflator.take()
    breaks = sum(1 for a, b in pairwise(out) if b.prev_sequence != a.sequence)  # type: ignore[union-attr]
    assert breaks == (1 if 0 < broken < len(chain) - 1 else 0)


def test_merging_over_a_hole_is_refused() -> None:
    """A merged update must not hide missing ones."""
    with pytest.raises(ValueError, match="does not continue 1"):
        merge_books(book(1, 0, False, [], []), book(3, 2, False, [], []))


def test_only_the_latest_quote_of_each_symbol_is_kept_and_the_others_are_counted() -> None:
    """Three quotes of one symbol become one; two were swallowed."""
    conflator = Conflator()
    for number in range(3):
        conflator.add(Quote(*HEAD, "1", "1", "2", str(number), number))
    assert (len(conflator), conflator.count) == (1, 2)
    (kept,) = conflator.take()
    assert isinstance(kept, Quote) and kept.ask_size == "2"
    assert len(conflator) == 0
