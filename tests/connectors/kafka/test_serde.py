import json

import pytest

from connectors.events import BookUpdate, Candle, Event, FeedStatus, Heartbeat, Quote, Trade
from connectors.kafka.serde import EventDecodeError, decode, encode

HEAD = ("binance", "BTC-USDT", "BTCUSDT", 1_699_999_999_122_000, 1_700_000_000_000_000, "binance-1")
EVENTS: list[Event] = [
    Trade(*HEAD, "venue", 1, "12345", 12345, "68016.19000000", "0.15084000", "sell"),
    Quote(*HEAD, "receipt", 1, "1.0", "2", "1.1", "0.00000000", None),
    BookUpdate(*HEAD, "venue", 1, True, [("1.0", "2")], [], 7, -1, 1),
    Candle(*HEAD, "venue", 1, "1m", 1, 2, "1", "2", "1", "2", "10", None, None, True),
    FeedStatus(*HEAD, "venue", 1, "gap", "trades", "ids missing", 5, 9, 1.5),
    Heartbeat(*HEAD, "venue", 1, {"BTC-USDT": 12345}),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_survive_the_way_there_and_back(event: Event) -> None:
    """Every kind of event, every field."""
    assert decode(encode(event)) == event


def test_trade_is_the_json_that_readers_expect() -> None:
    """Texts stay texts, times are integers, the tag is event_type."""
    assert json.loads(encode(EVENTS[0])) == {
        "event_type": "trade",
        "exchange": "binance",
        "symbol": "BTC-USDT",
        "native_symbol": "BTCUSDT",
        "ts_event": 1_699_999_999_122_000,
        "ts_recv": 1_700_000_000_000_000,
        "source": "binance-1",
        "ts_source": "venue",
        "schema_version": 1,
        "trade_id": "12345",
        "trade_seq": 12345,
        "price": "68016.19000000",
        "size": "0.15084000",
        "side": "sell",
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"", "truncated"),
        (b"{}", "event_type"),
        (b'{"event_type":"trades"}', "trades"),
        (b'{"event_type":"trade","exchange":"binance"}', "symbol"),
        (b"\xff", "malformed"),
        (encode(EVENTS[0]).replace(b'"sell"', b'"SELL"'), "side"),
        (encode(EVENTS[0]).replace(b'"12345"', b"null"), "trade_id"),
    ],
)
def test_error_says_what_is_wrong(value: bytes, message: str) -> None:
    """The field is named, the bytes are kept."""
    with pytest.raises(EventDecodeError, match=message) as error:
        decode(value)
    assert error.value.value == value
