"""Whole recordings through the parsers, against an independent reading with the json module."""

import json
from collections import Counter
from typing import Any

import pytest

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import (
    DeadLetter,
    Ignored,
    Item,
    SequenceGap,
    Subscribed,
    VenueHeartbeat,
)
from tests.connectors.exchanges.market import parser
from tests.recordings import frames, message, message_names, require


def parsed(venue: str) -> list[tuple[Any, list[Item]]]:
    one = parser(venue)
    return [(json.loads(frame), one.parse(frame, ts)) for frame, ts in frames(venue)]


def test_binance_recording() -> None:
    """Each frame gives one item of its stream's kind, with the texts and ids of the frame."""
    kinds = {"depth": BookUpdate, "bookTicker": Quote, "aggTrade": Ignored, "kline_1m": Candle}
    counts: Counter[str] = Counter()
    for frame, items in parsed("binance"):
        assert len(items) == 1
        item, data = items[0], frame["data"]
        stream = frame["stream"].split("@")[1]
        counts[stream] += 1
        assert type(item) is kinds[stream]
        if isinstance(item, BookUpdate):
            assert [list(level) for level in item.bids] == data["b"]
            assert [list(level) for level in item.asks] == data["a"]
            assert (item.prev_sequence + 1, item.sequence) == (data["U"], data["u"])
            assert (item.ts_event, item.native_symbol) == (data["E"] * 1000, data["s"])
        if isinstance(item, Quote):
            texts = [data[name] for name in ("b", "B", "a", "A")]
            assert [item.bid_price, item.bid_size, item.ask_price, item.ask_size] == texts
            assert (item.sequence, item.ts_event) == (data["u"], item.ts_recv)
    assert counts == {"depth": 177, "bookTicker": 84, "aggTrade": 2, "kline_1m": 2}


def test_coinbase_recording_is_whole() -> None:
    """Every trade, ticker and level of the frames is found again; no gap, no dead letter."""
    wanted: Counter[type] = Counter()
    found: Counter[type] = Counter()
    for frame, items in parsed("coinbase"):
        found.update(type(item) for item in items)
        events, channel = frame["events"], frame["channel"]
        if channel == "market_trades":
            rows = [row for event in events for row in event["trades"]]
            wanted[Trade] += len(rows)
            texts = {(r["trade_id"], r["price"], r["size"], r["side"] == "SELL") for r in rows}
            trades = [item for item in items if isinstance(item, Trade)]
            assert {(t.trade_id, t.price, t.size, t.side == "buy") for t in trades} == texts
            assert [t.trade_seq for t in trades] == sorted(int(r["trade_id"]) for r in rows)
        elif channel == "l2_data":
            wanted[BookUpdate] += len(events)
            for event, item in zip(events, items, strict=True):
                assert isinstance(item, BookUpdate)
                assert item.is_snapshot == (event["type"] == "snapshot")
                for side, levels in (("bid", item.bids), ("offer", item.asks)):
                    assert levels == [
                        (u["price_level"], u["new_quantity"])
                        for u in event["updates"]
                        if u["side"] == side
                    ]
        else:
            kinds = {"ticker": Quote, "heartbeats": VenueHeartbeat, "candles": Candle,
                     "subscriptions": Subscribed}  # fmt: skip
            lists = [event["candles"] if channel == "candles" else [event] for event in events]
            wanted[kinds[channel]] += sum(map(len, lists))
    assert found == wanted
    assert not found[SequenceGap] and not found[DeadLetter]
    assert (found[Trade], found[Quote], found[BookUpdate]) == (wanted[Trade], 100, 449)


def test_coinbase_recorded_books_chain() -> None:
    """For each symbol, prev_sequence is the last sequence from the snapshot on."""
    last: dict[str, int] = {}
    for _, items in parsed("coinbase"):
        for item in items:
            if isinstance(item, BookUpdate):
                expected = -1 if item.is_snapshot else last[item.symbol]
                assert item.prev_sequence == expected
                last[item.symbol] = item.sequence
    assert set(last) == {"BTC-USD", "ETH-USD"}


@pytest.mark.parametrize("venue", ["binance", "coinbase"])
def test_every_single_message_is_understood(venue: str) -> None:
    """No message of the documentation is a dead letter."""
    require()
    for name in message_names(venue):
        items = parser(venue).parse(message(name), 2**52)
        assert items and not any(isinstance(item, DeadLetter) for item in items), name
