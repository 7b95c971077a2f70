import msgspec
import pytest

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import (
    DeadLetter,
    Ignored,
    ReconnectRequest,
    Subscribed,
    Subscription,
    VenueError,
)
from tests.connectors.exchanges.market import (
    BINANCE_DEPTH,
    BINANCE_QUOTE,
    BINANCE_TRADE,
    NOW,
    only,
    parser,
)
from tests.recordings import message

BTC = ("binance", "BTC-USDT", "BTCUSDT")
TRADES, QUOTES = Subscription("trades", "BTC-USDT"), Subscription("quotes", "BTC-USDT")


def test_trade_is_published_with_the_takers_side() -> None:
    """A buyer who was the maker makes it a sale; ms become µs; texts stay as they are."""
    assert parser("binance").parse(BINANCE_TRADE, NOW) == [
        Trade(*BTC, 1_699_999_999_122_000, NOW, "binance-1", "venue", 1,
              "12345", 12345, "68016.19000000", "0.15084000", "sell")
    ]  # fmt: skip
    bought = BINANCE_TRADE.replace(b'"m":true', b'"m":false')
    trade = only(parser("binance").parse(bought, NOW))
    assert isinstance(trade, Trade) and trade.side == "buy"


def test_quote_without_time_has_the_receipt_time() -> None:
    """Spot's bookTicker has no time, so ts_source says receipt."""
    assert parser("binance").parse(BINANCE_QUOTE, NOW) == [
        Quote(*BTC, NOW, NOW, "binance-1", "receipt", 1,
              "68016.18000000", "31.21000000", "68016.19000000", "40.66000000", 400900217)
    ]  # fmt: skip


def test_depth_update_follows_the_one_before_its_first_id() -> None:
    """prev_sequence is U - 1; a size of zero stays, as it removes a level."""
    assert parser("binance").parse(BINANCE_DEPTH, NOW) == [
        BookUpdate(*BTC, 1_699_999_999_123_000, NOW, "binance-1", "venue", 1, False,
                   [("68016.18", "10"), ("68016.17", "0.00000000")], [("68016.20", "3.5")],
                   160, 156, 1)
    ]  # fmt: skip


def test_recorded_single_messages() -> None:
    """Each message of the documentation gives exactly these events, without an envelope too."""
    source = ("binance-1", "venue", 1)
    expected = {
        "binance-trade_stream": Trade(
            *BTC, 123456785000, NOW, *source, "5933014", 5933014, "0.001", "100", "sell"
        ),
        "binance-book_ticker_stream": Quote(
            "binance", "BNB-USDT", "BNBUSDT", 1568014460891000, NOW, *source,
            "25.35190000", "31.21000000", "25.36520000", "40.66000000", 400900217,
        ),
        "binance-depth_update_stream": BookUpdate(
            *BTC, 123456789000, NOW, *source, False, [("0.0024", "10")], [("0.0026", "100")],
            160, 156, 1,
        ),
        "binance-kline_stream_closed": Candle(
            *BTC, 1638747660000000, NOW, *source, "1m", 1638747660000000, 1638747719999000,
            "0.0010", "0.0025", "0.0010", "0.0020", "1000", "1.0000", 100, True,
        ),
        "binance-agg_trade_stream": Ignored("aggTrade"),
    }  # fmt: skip
    for name, event in expected.items():
        raw = message(name)
        assert parser("binance").parse(raw, NOW) == [event], name
        enveloped = b'{"stream":"x@y","data":%b}' % msgspec.json.encode(msgspec.json.decode(raw))
        assert parser("binance").parse(enveloped, NOW) == [event], name


def test_requests_are_numbered_and_confirmed_by_their_number() -> None:
    """An ack adds what its request named; an unsubscribe's ack takes it away."""
    one = parser("binance")
    frames = one.subscribe_frames([TRADES, QUOTES])
    assert frames == [
        b'{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker"],"id":1}'
    ]
    assert one.parse(b'{"result":null,"id":1}', NOW) == [Subscribed(frozenset({TRADES, QUOTES}))]
    frames = one.unsubscribe_frames([QUOTES])
    assert frames == [b'{"method":"UNSUBSCRIBE","params":["btcusdt@bookTicker"],"id":2}']
    assert one.parse(b'{"result":null,"id":2}', NOW) == [Subscribed(frozenset({TRADES}))]
    assert isinstance(only(one.parse(b'{"result":null,"id":9}', NOW)), Ignored)


def test_many_subscriptions_go_in_several_requests() -> None:
    """No request names more streams than a frame should hold."""
    one = parser("binance")
    frames = [msgspec.json.decode(f) for f in one.subscribe_frames([TRADES] * 250)]
    assert [len(frame["params"]) for frame in frames] == [100, 100, 50]
    assert [frame["id"] for frame in frames] == [1, 2, 3]


def test_subscribing_an_unknown_symbol_is_refused() -> None:
    """Only instruments of the connection can be asked for."""
    with pytest.raises(ValueError, match="DOGE-USDT is no instrument"):
        parser("binance").subscribe_frames([Subscription("trades", "DOGE-USDT")])


@pytest.mark.parametrize(
    "frame",
    [
        b'{"code":2,"msg":"Invalid request","id":1}',
        b'{"error":{"code":2,"msg":"Invalid request"},"id":1}',
    ],
)
def test_error_names_the_rejected_subscriptions(frame: bytes) -> None:
    """Both error forms are told apart from data, with what they refuse."""
    one = parser("binance")
    one.subscribe_frames([TRADES])
    assert one.parse(frame, NOW) == [VenueError("2", "Invalid request", (TRADES,))]


def test_error_without_a_number_rejects_nothing_by_name() -> None:
    """The server does not always repeat the request's id."""
    frame = b'{"code":0,"msg":"Unknown property"}'
    assert parser("binance").parse(frame, NOW) == [VenueError("0", "Unknown property", ())]


def test_server_shutdown_asks_for_a_new_connection() -> None:
    """The server says so before it closes."""
    frame = b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}'
    assert parser("binance").parse(frame, NOW) == [ReconnectRequest("serverShutdown")]


def swap(frame: bytes, old: bytes, new: bytes) -> bytes:
    assert old in frame
    return frame.replace(old, new)


P, Q, T, N = b'"68016.19000000"', b'"0.15084000"', b'"T":1699999999122', b'"t":12345'
BAD_PRICES = [
    b'"1234567890.0"', b'"0.12345678901"', b'"-1"', b'""', b'"."', b'"1."', b'".5"', b'"1e5"',
    b'"1e400"', b'"NaN"', b'"Infinity"', b'"0"', b'"0.000"', b'" 1"', b'"1_0"', b'"+1"', b"null",
    b"68016.19", b"true", b"[]", '"١"'.encode(), b'"1.2.3"', b'"0x10"',
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_PRICES)
def test_price_that_does_not_fit_is_a_dead_letter(text: bytes) -> None:
    """Flink would make such a price NULL or round it."""
    frame = swap(BINANCE_TRADE, P, text)
    dead = only(parser("binance").parse(frame, NOW))
    assert isinstance(dead, DeadLetter)
    assert (dead.reason, dead.symbol, dead.channel) == ("price", "BTC-USDT", "trades")
    assert dead.raw == frame


def test_number_out_of_all_range_makes_the_frame_no_json() -> None:
    """1e400 without quotation marks cannot be read at all."""
    dead = only(parser("binance").parse(swap(BINANCE_TRADE, P, b"1e400"), NOW))
    assert isinstance(dead, DeadLetter) and dead.reason == "malformed"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (Q, b'"12345678901"', "size"),
        (Q, b'"0.123456789"', "size"),
        (Q, b'"0"', "size"),
        (Q, b"null", "size"),
        (N, b'"t":null', "trade_id"),
        (N, b'"t":"x"', "trade_id"),
        (N, b'"t":1.5', "trade_id"),
        (N, b'"t":-1', "trade_id"),
        (N, b'"t":9223372036854775808', "trade_id"),
        (N, b'"x":1', "trade_id"),
        (T, b'"T":null', "time"),
        (T, b'"T":0', "time"),
        (T, b'"T":-5', "time"),
        (T, b'"T":"x"', "time"),
        (T, b'"T":1700000060001', "future"),
        (T, b'"T":1700000060000000', "future"),
        (b'"s":"BTCUSDT"', b'"s":"DOGEUSDT"', "symbol"),
        (b'"s":"BTCUSDT"', b'"s":null', "symbol"),
        (b'"s":"BTCUSDT"', rb'"s":"BTC\u0000USDT"', "text"),
        (P, rb'"1\u0000"', "text"),
        (P, rb'"\ud800"', "text"),
        (b'"m":true', b'"m":null', "malformed"),
        (b'"e":"trade"', b'"e":5', "malformed"),
        (b"{", b"", "malformed"),
    ],
)
def test_bad_trade_is_a_dead_letter_with_its_reason(old: bytes, new: bytes, reason: str) -> None:
    """One reason each; the raw frame is kept."""
    frame = swap(BINANCE_TRADE, old, new)
    dead = only(parser("binance").parse(frame, NOW))
    assert isinstance(dead, DeadLetter), dead
    assert (dead.reason, dead.raw) == (reason, frame)


def test_time_just_inside_the_bound_passes() -> None:
    """Sixty seconds ahead of the receipt is still an event."""
    frame = swap(BINANCE_TRADE, T, b'"T":1700000060000')
    assert isinstance(only(parser("binance").parse(frame, NOW)), Trade)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"10"', b'"-10"', "size"),
        (b'"10"', b'""', "size"),
        (b'"10"', b'"12345678901"', "size"),
        (b'"10"', b"null", "size"),
        (b'"68016.20"', b'"1234567890"', "price"),
        (b'"68016.20"', b'"68016.2e1"', "price"),
        (b'"68016.20"', rb'"6\u0000"', "text"),
        (b'["68016.20","3.5"]', b'["68016.20"]', "malformed"),
        (b'["68016.20","3.5"]', b'["68016.20","3.5","1"]', "malformed"),
        (b'"u":160', b'"u":null', "malformed"),
        (b'"E":1699999999123', b'"E":0', "time"),
        (b'"E":1699999999123', b'"E":1799999999123', "future"),
    ],
)
def test_bad_book_is_a_dead_letter_with_its_reason(old: bytes, new: bytes, reason: str) -> None:
    """No book goes out with a level that does not fit."""
    dead = only(parser("binance").parse(swap(BINANCE_DEPTH, old, new), NOW))
    assert isinstance(dead, DeadLetter), dead
    assert dead.reason == reason


@pytest.mark.parametrize("name", [b"b", b"B", b"a", b"A"])
def test_bad_quote_is_a_dead_letter(name: bytes) -> None:
    """Each of the four numbers is checked; zero is an empty side and passes."""
    fields = msgspec.json.decode(BINANCE_QUOTE)
    for value, fits in (("1e5", False), ("-1", False), (None, False), ("0.00000000", True)):
        fields["data"][name.decode()] = value
        item = only(parser("binance").parse(msgspec.json.encode(fields), NOW))
        assert isinstance(item, Quote if fits else DeadLetter)


def test_fields_in_another_order_or_added_ones_change_nothing() -> None:
    """The tolerant path gives the same event as the fast one."""
    for frame in (BINANCE_TRADE, BINANCE_QUOTE, BINANCE_DEPTH):
        expected = parser("binance").parse(frame, NOW)
        fields = msgspec.json.decode(frame)
        backwards = {"data": dict(reversed(fields["data"].items())), "stream": fields["stream"]}
        added = {**fields, "data": {**fields["data"], "st": 1}}
        for other in (backwards, added):
            assert parser("binance").parse(msgspec.json.encode(other), NOW) == expected
