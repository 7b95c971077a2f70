import msgspec
import pytest

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import (
    DeadLetter,
    Ignored,
    Item,
    Parser,
    SequenceGap,
    Subscribed,
    Subscription,
    VenueError,
    VenueHeartbeat,
)
from connectors.exchanges.times import micros
from tests.connectors.exchanges.market import only, parser
from tests.recordings import message

NOW = 1_775_572_210_000_000
"""2026-04-07 14:30:10 UTC."""
BTC = ("coinbase", "BTC-USD", "BTC-USD")
TAIL = (NOW, "coinbase-1", "venue", 1)


def parse(name: str) -> list[Item]:
    return parser("coinbase").parse(message(f"coinbase-{name}"), NOW)


def test_trades_have_the_takers_side() -> None:
    """Coinbase names the maker's side: BUY becomes sell."""
    assert parse("ws_market_trades") == [
        Trade(*BTC, 1775572202789012, *TAIL, "995098700", 995098700, "68900.50", "0.00150000",
              "sell"),
        Trade(*BTC, 1775572202800000, *TAIL, "995098701", 995098701, "68900.00", "0.05000000",
              "buy"),
    ]  # fmt: skip


def test_ticker_is_a_quote_with_the_frames_time_and_number() -> None:
    """Best bid and ask with sizes; sequence is the connection's counter."""
    assert parse("ws_ticker") == [
        Quote(*BTC, 1775572203000000, *TAIL, "68900.00", "1.50000000", "68901.00", "0.50000000", 12)
    ]


def test_book_snapshot_and_update() -> None:
    """A snapshot has no predecessor; the update follows it; a zero quantity removes a level."""
    one = parser("coinbase")
    assert one.parse(message("coinbase-ws_l2_data_snapshot"), NOW) == [
        BookUpdate(*BTC, 1775572200123456, *TAIL, True,
                   [("68900.00", "1.50000000"), ("68899.50", "0.75000000"),
                    ("68899.00", "2.30000000")],
                   [("68901.00", "0.50000000"), ("68901.50", "1.20000000"),
                    ("68902.00", "0.80000000")], 0, -1, 1)
    ]  # fmt: skip
    assert one.parse(message("coinbase-ws_l2_data_update"), NOW) == [
        BookUpdate(*BTC, 1775572201456789, *TAIL, False,
                   [("68900.00", "2.00000000")], [("68901.00", "0.00000000")], 1, 0, 1)
    ]  # fmt: skip


def test_heartbeat_confirmation_and_other_channels() -> None:
    """What is no market data is a control."""
    assert parse("ws_heartbeats") == [VenueHeartbeat()]
    (bar,) = parse("ws_candles")
    assert isinstance(bar, Candle) and (bar.open, bar.volume) == ("68900.00", "42.15000000")
    assert bar.open_time == 1_775_521_800_000_000
    assert parse("ws_subscriptions") == [
        Subscribed(
            frozenset(
                {
                    Subscription("books", "BTC-USD"),
                    Subscription("trades", "BTC-USD"),
                    Subscription("trades", "ETH-USD"),
                }
            )
        )
    ]


def test_error_frame() -> None:
    """An error names its cause."""
    frame = b'{"type":"error","message":"channel is not valid"}'
    assert parser("coinbase").parse(frame, NOW) == [VenueError("", "channel is not valid", ())]


def test_requests_name_one_channel_each_and_ask_for_heartbeats_once() -> None:
    """Channels close without traffic, so heartbeats come with the first request."""
    one = parser("coinbase")
    wanted = [Subscription("trades", "BTC-USD"), Subscription("trades", "ETH-USD"),
              Subscription("books", "BTC-USD")]  # fmt: skip
    assert one.subscribe_frames(wanted) == [
        b'{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"heartbeats"}',
        b'{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"market_trades"}',
        b'{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}',
    ]
    assert one.subscribe_frames([Subscription("quotes", "ETH-USD")]) == [
        b'{"type":"subscribe","product_ids":["ETH-USD"],"channel":"ticker"}'
    ]
    assert one.unsubscribe_frames([Subscription("quotes", "ETH-USD")]) == [
        b'{"type":"unsubscribe","product_ids":["ETH-USD"],"channel":"ticker"}'
    ]


@pytest.mark.parametrize(
    "bad", [Subscription("other", "BTC-USD"), Subscription("trades", "DOGE-USD")]
)
def test_impossible_subscriptions_are_refused(bad: Subscription) -> None:
    """No frame is made for what cannot be served."""
    with pytest.raises(ValueError, match=r"other|DOGE-USD"):
        parser("coinbase").subscribe_frames([bad])


def trade(number: object, **fields: object) -> dict[str, object]:
    return {
        "product_id": "BTC-USD", "trade_id": number, "price": "68900.5", "size": "0.0015",
        "time": "2026-04-07T14:30:02.5Z", "side": "BUY", **fields,
    }  # fmt: skip


def frame(
    sequence: object, *parts: object, channel: str = "market_trades", **more: object
) -> bytes:
    event = {"type": "update", "trades": list(parts)}
    return msgspec.json.encode(
        {
            "channel": channel,
            "client_id": "",
            "timestamp": "2026-04-07T14:30:03Z",
            "sequence_num": sequence,
            "events": [event],
            **more,
        }
    )


def test_trades_of_a_frame_ascend() -> None:
    """A snapshot is newest first; events come oldest first."""
    items = parser("coinbase").parse(frame(0, *(trade(str(n)) for n in (9, 8, 10, 7))), NOW)
    assert [item.trade_seq for item in items if isinstance(item, Trade)] == [7, 8, 9, 10]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"price": "1234567890"}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"price": None}, "price"),
        ({"price": ""}, "price"),
        ({"price": 68900.5}, "price"),
        ({"size": "0.123456789"}, "size"),
        ({"size": "12345678901"}, "size"),
        ({"size": None}, "size"),
        ({"trade_id": None}, "trade_id"),
        ({"trade_id": "a7"}, "trade_id"),
        ({"trade_id": "\u0661"}, "trade_id"),
        ({"trade_id": "-5"}, "trade_id"),
        ({"time": None}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"time": "1969-12-31T23:59:59Z"}, "time"),
        ({"time": "2026-04-07T14:31:10.000001Z"}, "future"),
        ({"product_id": "DOGE-USD"}, "symbol"),
        ({"product_id": "BTC-USD\x00"}, "text"),
        ({"side": None}, "malformed"),
    ],
)
def test_one_bad_trade_spares_the_good_ones(bad: dict[str, object], reason: str) -> None:
    """The bad one is a dead letter with its own JSON; the others are events."""
    worse = trade("8", **bad)
    items = parser("coinbase").parse(frame(0, trade("7"), worse, trade("9")), NOW)
    assert [item.trade_seq for item in items if isinstance(item, Trade)] == [7, 9]
    dead = items[-1]
    assert isinstance(dead, DeadLetter) and dead.reason == reason and len(items) == 3
    assert msgspec.json.decode(dead.raw) == worse


def test_part_that_is_no_object_is_a_dead_letter() -> None:
    """So is a frame whose list is none."""
    assert [type(i) for i in parser("coinbase").parse(frame(0, 5, trade("7")), NOW)] == [
        Trade,
        DeadLetter,
    ]
    dead = only(parser("coinbase").parse(frame(0, events={"a": 1}), NOW))
    assert isinstance(dead, DeadLetter) and dead.reason == "malformed"


def test_year_one_means_no_time() -> None:
    """Coinbase rarely writes year 1: the receipt time stands in, and ts_source says so."""
    item = only(parser("coinbase").parse(frame(0, trade("7", time="0001-01-01T00:00:00Z")), NOW))
    assert isinstance(item, Trade) and (item.ts_event, item.ts_source) == (NOW, "receipt")


def test_unknown_side_is_kept_as_unknown() -> None:
    """A side that is neither BUY nor SELL is not guessed."""
    item = only(parser("coinbase").parse(frame(0, trade("7", side="UNKNOWN")), NOW))
    assert isinstance(item, Trade) and item.side == "unknown"


def test_ticker_without_sizes_is_ignored() -> None:
    """A quote needs its sizes; one without is counted, not invented."""
    for sizes in ({}, {"best_bid_quantity": "", "best_ask_quantity": ""}):
        event = {"type": "update", "tickers": [{"product_id": "BTC-USD", "best_bid": "1", **sizes}]}
        raw = frame(0, channel="ticker", events=[event])
        assert parser("coinbase").parse(raw, NOW) == [Ignored("ticker without sizes")]


def test_jump_of_the_counter_is_told_before_the_events() -> None:
    """Frames 5 and 6 never came, on whatever channel; a counter that goes back is told too."""
    one = parser("coinbase")
    assert [type(i) for i in one.parse(frame(4, trade("1")), NOW)] == [Trade]
    jumped = one.parse(frame(7, trade("2")), NOW)
    assert jumped[0] == SequenceGap(5, 6) and isinstance(jumped[1], Trade)
    assert one.parse(frame(8, channel="heartbeats"), NOW) == [VenueHeartbeat()]
    assert one.parse(frame(3, channel="heartbeats"), NOW) == [SequenceGap(9, 2), VenueHeartbeat()]


def book(one: Parser, sequence: int, product: str, kind: str = "update", size: str = "1") -> Item:
    level = {"side": "bid", "event_time": "2026-04-07T14:30:03Z", "price_level": "5"}
    event = {"type": kind, "product_id": product, "updates": [{**level, "new_quantity": size}]}
    return one.parse(frame(sequence, channel="l2_data", events=[event]), NOW)[-1]


def previous(item: Item) -> int:
    assert isinstance(item, BookUpdate)
    return item.prev_sequence


def test_books_chain_per_product() -> None:
    """prev_sequence is the product's own last sequence, not the connection's."""
    one = parser("coinbase")
    assert previous(book(one, 0, "BTC-USD", "snapshot")) == -1
    assert previous(book(one, 1, "ETH-USD", "snapshot")) == -1
    assert previous(book(one, 2, "ETH-USD")) == 1
    assert previous(book(one, 3, "BTC-USD")) == 0
    assert previous(book(one, 4, "BTC-USD", "snapshot")) == -1
    assert previous(book(one, 5, "BTC-USD")) == 4


def test_lost_frame_or_dead_letter_breaks_the_chain() -> None:
    """A reader must not apply what follows a hole: prev_sequence is not its last sequence."""
    one = parser("coinbase")
    book(one, 0, "BTC-USD", "snapshot")
    book(one, 1, "ETH-USD", "snapshot")
    assert isinstance(book(one, 2, "BTC-USD", size="1e5"), DeadLetter)
    assert previous(book(one, 3, "BTC-USD")) == -1
    assert previous(book(one, 4, "ETH-USD")) == 1
    assert previous(book(one, 6, "ETH-USD")) == -1


@pytest.mark.parametrize("text", ["", "x", "-1", "1e400", "12345678901", None])
def test_level_that_does_not_fit_is_a_dead_letter(text: str) -> None:
    """No book goes out with such a size."""
    item = book(parser("coinbase"), 0, "BTC-USD", size=text)
    assert isinstance(item, DeadLetter) and item.reason == "size"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[]", b"5", b'"x"', b"{}", b'{"channel":"l2_data"}', b"\xff\xfe",
     b'{"channel":5,"sequence_num":1,"events":[]}', b"[" * 100_000, b'{"channel":"m\x00"}',
     b'{"channel":"market_trades","sequence_num":-1,"events":[]}'],
)  # fmt: skip
def test_what_is_no_frame_is_one_dead_letter(raw: bytes) -> None:
    """The whole frame is kept."""
    dead = only(parser("coinbase").parse(raw, NOW))
    assert isinstance(dead, DeadLetter) and dead.raw == raw


def test_now_is_the_time_the_fixtures_assume() -> None:
    """Keeps the hand-written numbers of this file honest."""
    assert micros("2026-04-07T14:30:10Z") == NOW
