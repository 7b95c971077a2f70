"""Events of the bus: what is refused, and that nothing changes on the way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from connectors.kafka.bus_events import Event, EventError, EventType, decode, encode

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def no_fetch(*_: object) -> bytes:
    """Nothing is fetched where data are inline."""
    raise AssertionError("fetched")


@pytest.mark.parametrize("event_type", EventType)
def test_every_type_survives_its_encoding(event_type: EventType) -> None:
    """Equal before and after, ids and key too."""
    data = {"symbol": "BTC-USDT", "price": "1.50", "n": 3, "nested": {"a": [1, None, True]}}
    event = Event(event_type, "collector", NOW, data, "chain-1")
    assert decode(encode(event), no_fetch) == event


def test_times_become_utc() -> None:
    """Another zone is the same moment."""
    tokyo = timezone(timedelta(hours=9))
    event = Event(EventType.HEARTBEAT, "a", datetime(2026, 11, 22, 17, 30, tzinfo=tokyo))
    assert event.timestamp == NOW
    assert event.timestamp.utcoffset() == timedelta(0)


def test_the_key_is_the_symbol_or_the_source() -> None:
    """A key of its own goes before both."""
    assert Event(EventType.HEARTBEAT, "a", NOW).key == "a"
    assert Event(EventType.ORDER_PLACED, "a", NOW, {"symbol": "X-Y"}).key == "X-Y"
    assert Event(EventType.ORDER_PLACED, "a", NOW, {"symbol": "X-Y"}, key="k").key == "k"


def test_what_is_no_event_is_refused() -> None:
    """Each text names what is wrong."""
    with pytest.raises(EventError, match="no event type 'order'"):
        Event("order", "a", NOW)  # type: ignore[arg-type]
    with pytest.raises(EventError, match="has no zone"):
        Event(EventType.HEARTBEAT, "a", datetime(2026, 1, 1))
    with pytest.raises(EventError, match="data"):
        encode(Event(EventType.HEARTBEAT, "a", NOW, {"x": object()}))


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b"{}", b"[" * 100_000])
def test_values_that_are_no_events_are_told(value: bytes | None) -> None:
    """Nothing but EventError comes out."""
    with pytest.raises(EventError):
        decode(value, no_fetch)
