"""Bounded lanes: order, priorities, and what each policy gives up."""

from typing import Any

import pytest

from connectors.engine.events import Policy, type_of
from connectors.engine.lanes import GivenUp, Lanes, Ticket, Waiting
from tests.connectors.engine.making import book, candle, quote, trade


def push(lanes: Lanes, event: Any, policy: Policy, priority: int = 1) -> GivenUp | None:
    """Let an event wait."""
    return lanes.push(Waiting(event, type_of(event), Ticket(0, 1)), priority, policy)


def taken(lanes: Lanes) -> list[Any]:
    """All that waits, in the order in which it leaves."""
    return [lanes.pop().event for _ in range(lanes.size)]


def test_lower_priorities_leave_first_and_equal_ones_in_order_of_arrival() -> None:
    """Arrival decides only within a lane."""
    lanes = Lanes(10)
    for number, priority in enumerate([5, 1, 5, -2, 1]):
        push(lanes, trade(number), "block", priority)
    assert [event.trade_seq for event in taken(lanes)] == [3, 1, 4, 0, 2]
    with pytest.raises(IndexError, match="no event waits"):
        lanes.pop()


def test_the_oldest_gives_way() -> None:
    """`drop_oldest` keeps the newest, and says what was lost."""
    lanes = Lanes(2)
    lost = [push(lanes, trade(number), "drop_oldest") for number in range(4)]
    assert [one and one.waiting.event.trade_seq for one in lost] == [None, None, 0, 1]
    assert [event.trade_seq for event in taken(lanes)] == [2, 3]


def test_the_newest_is_not_taken() -> None:
    """`drop_newest` keeps the oldest."""
    lanes = Lanes(2)
    lost = [push(lanes, trade(number), "drop_newest") for number in range(4)]
    assert [one and one.waiting.event.trade_seq for one in lost] == [None, None, 2, 3]
    assert [event.trade_seq for event in taken(lanes)] == [0, 1]


def test_an_event_of_another_type_never_gives_way() -> None:
    """Quotes may be dropped, but not the trades that were put into their lane."""
    lanes = Lanes(1)
    push(lanes, trade(1), "block")
    lost = push(lanes, quote(), "drop_oldest")
    assert lost is not None
    assert lost.waiting.event == quote()
    assert taken(lanes) == [trade(1)]


def test_conflated_quotes_end_with_the_last_of_each_symbol() -> None:
    """Beyond its bound a lane holds one event for each symbol, whatever comes."""
    lanes = Lanes(2)
    merged = 0
    for number in range(10):
        for symbol in ("BTC-USDT", "ETH-USDT"):
            given_up = push(lanes, quote(str(number), symbol), "conflate")
            merged += given_up is not None and given_up.merged
    assert lanes.size == 4
    assert [(q.symbol, q.bid_price) for q in taken(lanes)] == [
        ("BTC-USDT", "0"),
        ("ETH-USDT", "0"),
        ("BTC-USDT", "9"),
        ("ETH-USDT", "9"),
    ]
    assert merged == 16


def test_conflated_books_can_be_followed_by_their_reader() -> None:
    """The chain of sequences has no hole, also where room came and went in between."""
    lanes = Lanes(2)
    seen = []
    for last in range(1, 40):
        push(lanes, book(last - 1, last), "conflate")
        if last % 5 == 0:
            seen += [lanes.pop().event for _ in range(min(2, lanes.size))]
    seen += taken(lanes)
    assert [update.prev_sequence for update in seen[1:]] == [u.sequence for u in seen[:-1]]
    assert sum(update.merged for update in seen) == 39
    assert {price for update in seen for price, _ in update.bids} == {str(n) for n in range(1, 40)}


def test_a_hole_in_the_books_stays_visible_and_counts_as_a_loss() -> None:
    """An update that does not continue the waiting one replaces it, and is not called merged."""
    lanes = Lanes(1)
    push(lanes, book(0, 1), "conflate")
    push(lanes, book(1, 2), "conflate")
    lost = push(lanes, book(7, 8), "conflate")
    assert lost is not None
    assert not lost.merged
    assert taken(lanes) == [book(0, 1), book(7, 8)]


def test_candles_of_different_minutes_are_not_merged() -> None:
    """The last state of each candle is kept."""
    lanes = Lanes(1)
    for event in (candle(0, "1"), candle(0, "2"), candle(0, "3"), candle(60, "4")):
        push(lanes, event, "conflate")
    assert [event.close for event in taken(lanes)] == ["1", "3", "4"]
