"""OrderBook against a plain model."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.books import BookGap, OrderBook
from connectors.events import BookUpdate, Level


def update(
    sequence: int, bids: list[Level], asks: list[Level], *, snapshot: bool = False
) -> BookUpdate:
    """An event that follows ``sequence - 1``."""
    head = ("binance", "BTC-USDT", "BTCUSDT", 1, 1, "binance-1", "venue", 1)
    return BookUpdate(*head, snapshot, bids, asks, sequence, sequence - 1, 1)


LEVELS = st.lists(
    st.tuples(
        st.integers(1, 120).map(lambda n: f"{n / 4:.2f}"), st.sampled_from(["0.00", "1", "2.50"])
    ),
    max_size=8,
)


@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=25))
def test_it_is_what_a_plain_dictionary_would_be(
    steps: list[tuple[list[Level], list[Level]]],
) -> None:
    """Levels, best prices and crossing agree with a model that sorts each time."""
    book = OrderBook()
    sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for number, step in enumerate(steps):
        book.apply(update(number, *step, snapshot=number == 0))
        for side, levels in zip(sides, step, strict=True):
            side.update(levels)
            for price in [price for price, size in side.items() if not float(size)]:
                del side[price]
        bids = sorted(sides[0], key=Decimal, reverse=True)
        asks = sorted(sides[1], key=Decimal)
        assert (list(book.bids), list(book.asks)) == (bids, asks)
        assert book.best_bid == ((bids[0], sides[0][bids[0]]) if bids else None)
        assert book.best_ask == ((asks[0], sides[1][asks[0]]) if asks else None)
        assert book.is_empty == (not bids or not asks)
        crossed = bool(bids and asks) and Decimal(bids[0]) >= Decimal(asks[0])
        assert book.is_crossed == crossed


def test_an_update_that_does_not_continue_is_refused_until_a_snapshot() -> None:
    """The reader is told what is missing and what to do."""
    book = OrderBook()
    with pytest.raises(BookGap, match="does not continue None: wait for a snapshot"):
        book.apply(update(3, [("1", "1")], []))
    book.apply(update(3, [("1", "1")], [], snapshot=True))
    with pytest.raises(BookGap, match="update after 4 does not continue 3"):
        book.apply(update(5, [("2", "1")], []))
    assert (book.sequence, book.bids) == (None, {"1": "1"})
    book.apply(update(9, [("7", "1")], [], snapshot=True))
    assert (book.sequence, book.bids) == (9, {"7": "1"})
