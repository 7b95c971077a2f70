"""Backlog: each channel's policy while Kafka is slow."""

from typing import Any

import pytest

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.kafka.backlog import Backlog, Policy


def head(symbol: str) -> tuple[Any, ...]:
    """The common fields."""
    return ("binance", symbol, symbol, 1, 2, "t", "venue", 1)


def quote(number: int) -> Quote:
    """A quote told from others by its bid."""
    return Quote(*head("BTC-USDT"), str(number), "1", "9", "1", number)


def trade(number: int) -> Trade:
    """A trade."""
    return Trade(*head("BTC-USDT"), str(number), number, "1", "1", "buy")


def book(symbol: str, sequence: int) -> BookUpdate:
    """An update that continues the one before."""
    levels = [("1", str(sequence))]
    return BookUpdate(*head(symbol), False, levels, [], sequence, sequence - 1, 1)


def backlog(policy: Policy, most: int = 3) -> Backlog:
    """The same policy for each channel."""
    return Backlog(dict.fromkeys(("trades", "quotes", "books", "candles"), policy), most)


def test_only_channels_that_do_not_block_are_held() -> None:
    """A channel that nobody names blocks."""
    assert not backlog("block").holds("trades")
    assert backlog("conflate").holds("quotes")
    assert not Backlog({}, 1).holds("trades")


@pytest.mark.parametrize(
    ("policy", "drops"),
    [("block", False), ("conflate", False), ("drop_oldest", True), ("drop_newest", True)],
)
def test_it_is_known_which_policies_may_lose(policy: Policy, drops: bool) -> None:
    """A snapshot is asked for again only when it has a chance."""
    assert backlog(policy).drops("books") == drops


def test_conflated_events_wait_as_their_end_state() -> None:
    """Nothing is dropped, and merged ones are counted."""
    waiting = backlog("conflate")
    for number in range(5):
        assert waiting.add("quotes", quote(number)) == []
        assert waiting.add("books", book("BTC-USDT", number)) == []
    events = list(waiting.take())
    assert [type(event) for event in events] == [BookUpdate, Quote]
    assert isinstance(events[0], BookUpdate) and events[0].merged == 5
    assert events[1] == quote(4)
    assert waiting.conflated == 8
    assert list(waiting.take()) == []


def test_drop_newest_gives_the_event_back_and_keeps_nothing() -> None:
    """The caller counts it."""
    waiting = backlog("drop_newest")
    assert waiting.add("trades", trade(1)) == [trade(1)]
    assert list(waiting.take()) == []


def test_drop_oldest_keeps_the_last_ones_in_order_for_each_channel_by_itself() -> None:
    """Full lanes give up their oldest event."""
    waiting = backlog("drop_oldest")
    dropped = [one for number in range(5) for one in waiting.add("trades", trade(number))]
    assert waiting.add("quotes", quote(7)) == []
    assert dropped == [trade(0), trade(1)]
    assert list(waiting.take()) == [trade(2), trade(3), trade(4), quote(7)]


def test_the_updates_of_one_book_are_given_up_together() -> None:
    """They continue what was dropped; those of other symbols stay."""
    waiting = backlog("drop_oldest")
    for one in (book("A-B", 1), book("C-D", 1), book("A-B", 2)):
        waiting.add("books", one)
    assert waiting.add("books", book("A-B", 3)) == [book("A-B", 1)]
    assert waiting.forget_book("A-B") == [book("A-B", 2), book("A-B", 3)]
    assert list(waiting.take()) == [book("C-D", 1)]
    assert waiting.forget_book("A-B") == []


def test_candles_are_held_like_trades() -> None:
    """A closed candle never waits as its follower."""
    candle = Candle(*head("A-B"), "1m", 0, 60, "1", "1", "1", "1", "5", None, None, True)
    waiting = backlog("drop_oldest", most=1)
    assert waiting.add("candles", candle) == []
    assert waiting.add("candles", candle) == [candle]
