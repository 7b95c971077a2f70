"""No input crashes a parser, and what comes out as an event is always valid and encodable."""

import json
import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges import registry
from connectors.exchanges.base import Control, DeadLetter, Item
from connectors.kafka.serde import decode, encode
from tests.connectors.exchanges.market import (
    BINANCE_DEPTH,
    BINANCE_QUOTE,
    BINANCE_TRADE,
    NOW,
)
from tests.connectors.exchanges.mutate import mutated
from tests.connectors.exchanges.sample import load

COINBASE = [
    b'{"channel":"market_trades","timestamp":"2023-11-14T22:13:19.251397169Z","sequence_num":9,'
    b'"events":[{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"1068572091","price":'
    b'"65083.67","size":"0.01034361","time":"2023-11-14T22:13:18.167634Z","side":"SELL"}]}]}',
    b'{"channel":"ticker","timestamp":"2023-11-14T22:13:19Z","sequence_num":10,"events":[{"type":'
    b'"update","tickers":[{"type":"ticker","product_id":"ETH-USD","price":"1919.41","best_bid":'
    b'"1919.44","best_ask":"1919.49","best_bid_quantity":"0.02","best_ask_quantity":"0.07"}]}]}',
    b'{"channel":"l2_data","timestamp":"2023-11-14T22:13:19Z","sequence_num":11,"events":[{"type":'
    b'"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":'
    b'"2023-11-14T22:13:19Z","price_level":"65062.5","new_quantity":"0.00583"}]}]}',
    b'{"channel":"subscriptions","sequence_num":2,"events":[{"subscriptions":{"ticker":["BTC-USD"]}}]}',
    b'{"type":"error","message":"no"}',
]
BINANCE = [
    BINANCE_TRADE,
    BINANCE_QUOTE,
    BINANCE_DEPTH,
    b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BTCUSDT","k":{"t":1,'
    b'"T":2,"s":"BTCUSDT","i":"1m","o":"1","c":"2","h":"2","l":"1","v":"0","n":0,"x":false,"q":"1"}}}',
    b'{"result":null,"id":1}',
    b'{"error":{"code":2,"msg":"Invalid request"},"id":1}',
]
FRAMES = [("binance", frame) for frame in BINANCE] + [("coinbase", frame) for frame in COINBASE]
FRAMES += [(name, frame) for name in registry.VENUES for frame, _ in load(name).frames]
JSON = [(name, frame) for name, frame in FRAMES if frame[:1] in b"{["]
VENUES = list(registry.VENUES)

odd = st.sampled_from(
    [None, True, 0, -1, 2**64, 10**30, 1.5, "", "x", "1e5", "NaN", "-1", "\x00", "1\x00", "٣", [],
     {}, [[]], "0001-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "2023-02-30T00:00:00Z",
     "5", "0", "007", "9" * 30]
) | st.text(max_size=5)  # fmt: skip
anything = st.recursive(
    odd, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)


def fits(text: str, integer_digits: int, scale: int) -> bool:
    """Say independently, with Decimal, whether a text fits its column."""
    number = Decimal(text)
    stored = number.quantize(Decimal(1).scaleb(-scale))
    return stored == number and 0 <= number < 10**integer_digits and "E" not in text.upper()


def check(venue: str, frame: bytes) -> None:
    items = load(venue).parser().parse(frame, NOW)
    assert items
    for item in items:
        check_item(item)


def check_item(item: Item) -> None:
    assert isinstance(item, (Trade, Quote, BookUpdate, Candle, DeadLetter, Control))
    if isinstance(item, (DeadLetter, Control)):
        msgspec.json.encode(item)
        return
    value = encode(item)
    assert decode(value) == item
    assert b"\\u0000" not in value
    assert 0 < item.ts_event <= NOW + 60_000_000
    if isinstance(item, Trade):
        assert fits(item.price, 9, 10) and fits(item.size, 10, 8)
        assert Decimal(item.price) * Decimal(item.size) > 0
        composed = registry.venue(item.exchange).numbering == "composed"
        assert composed or item.trade_id == str(item.trade_seq)
        assert item.trade_id and 0 <= item.trade_seq < 2**63
    elif isinstance(item, BookUpdate):
        assert all(fits(p, 9, 10) and fits(s, 10, 8) for p, s in [*item.bids, *item.asks])


@pytest.mark.parametrize("venue", VENUES)
@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_arbitrary_bytes(venue: str, frame: bytes) -> None:
    """Any bytes are accounted for."""
    check(venue, frame)


@settings(deadline=None, max_examples=600)
@given(
    st.sampled_from(FRAMES),
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4)),
        min_size=1,
        max_size=3,
    ),
)
def test_mutated_bytes(case: tuple[str, bytes], edits: list[tuple[int, int, bytes]]) -> None:
    """Real frames with bytes cut, replaced, inserted."""
    venue, frame = case
    for position, cut, new in edits:
        at = position % (len(frame) + 1)
        frame = frame[:at] + new + frame[at + cut :]
    check(venue, frame)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(FRAMES), st.integers(0, 400))
def test_truncated_frames(case: tuple[str, bytes], length: int) -> None:
    """Frames that end too early."""
    check(case[0], case[1][:length])


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the keys that lead to every value inside."""
    if not isinstance(value, (dict, list)):
        return []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path for key, one in inner for path in ((*here, key), *paths(one, (*here, key)))]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(JSON), st.integers(0, 100), anything, st.booleans())
def test_fields_of_wrong_types(
    case: tuple[str, bytes], which: int, value: Any, remove: bool
) -> None:
    """Real frames with one field of any depth removed or replaced by anything."""
    venue, frame = case
    message = json.loads(frame)
    *above, last = paths(message)[which % len(paths(message))]
    target = message
    for key in above:
        target = target[key]
    if remove:
        del target[last]
    else:
        target[last] = value
    check(venue, json.dumps(message, separators=(",", ":")).encode())


@pytest.mark.parametrize("venue", VENUES)
@settings(deadline=None, max_examples=50)
@given(anything)
def test_arbitrary_json(venue: str, value: Any) -> None:
    """Any JSON is accounted for."""
    check(venue, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("venue", "frame"),
    [
        ("binance", b'{"data":{"e":"trade","s":%b}}'),
        ("binance", b'{"error":%b}'),
        ("coinbase", b'{"channel":"market_trades","sequence_num":1,"events":[{"trades":[%b]}]}'),
        ("kraken", b'{"channel":"trade","type":"update","data":[%b]}'),
        ("kraken", b'{"method":"subscribe","success":false,"error":%b}'),
        ("okx", b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[%b]}'),
        ("bybit", b'{"topic":"publicTrade.BTCUSDT","data":[%b]}'),
        ("bitflyer", b"%b"),
        ("gmo", b'{"error":%b}'),
        ("upbit", b'{"ty":"orderbook","cd":"KRW-BTC","tms":1,"obu":[%b]}'),
    ],
)
def test_deep_nesting(venue: str, frame: bytes) -> None:
    """Around the depth at which Python gives up, every depth is accounted for."""
    for depth in range(850, 1010):
        check(venue, frame % (b"[" * depth + b"]" * depth))


@pytest.mark.parametrize("venue", VENUES)
@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_a_long_connection(venue: str, seed: int) -> None:
    """A hundred mutated frames on one connection, 20,000 in all: each is accounted for."""
    rng, parser = random.Random(seed), load(venue).parser()
    parser.subscribe_frames(load(venue).subscriptions())
    known = [frame for name, frame in FRAMES if name == venue]
    for _ in range(100):
        items = parser.parse(mutated(rng, known), NOW)
        assert items
        for item in items:
            check_item(item)
