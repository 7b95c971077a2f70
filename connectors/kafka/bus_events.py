"""Events of the bus: what parts of a trading system tell each other, one JSON object a record."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

SCHEMA_VERSION = 1


class EventType(StrEnum):
    """Everything that may be told."""

    MARKET_DATA_RECEIVED = "market_data_received"
    CANDLE_UPDATED = "candle_updated"
    ORDERBOOK_UPDATED = "orderbook_updated"
    TRADE_EXECUTED = "trade_executed"
    INDICATORS_UPDATED = "indicators_updated"
    SIGNAL_GENERATED = "signal_generated"
    STRATEGY_SIGNAL = "strategy_signal"
    TRADING_SIGNAL = "trading_signal"
    ORDER_PLACED = "order_placed"
    ORDER_EXECUTED = "order_executed"
    ORDER_FAILED = "order_failed"
    ORDER_CANCELLED = "order_cancelled"
    RISK_ALERT = "risk_alert"
    EMERGENCY_STOP = "emergency_stop"
    STOP_LOSS_TRIGGERED = "stop_loss_triggered"
    TAKE_PROFIT_TRIGGERED = "take_profit_triggered"
    SYSTEM_STATUS = "system_status"
    ERROR_OCCURRED = "error_occurred"
    HEARTBEAT = "heartbeat"
    BATCH_PROGRESS = "batch_progress"


class EventError(ValueError):
    """Something that is no event of the bus; the text names what is wrong."""


def new_id() -> str:
    """An id that no other event has."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Event:
    """One event.

    ``data`` is a dict of what JSON can hold (decimals and times become text). Where it was too
    large to travel, it is a mapping that fetches its content when it is first looked at.

    Raises:
        EventError: For an unknown type or a time without zone.
    """

    event_type: EventType
    source: str
    """Which component tells it."""
    timestamp: datetime
    """When it happened; UTC."""
    data: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: str | None = None
    """The same through a whole chain of events."""
    event_id: str = field(default_factory=new_id)
    """For consumers that remove duplicates: delivery is at least once."""
    key: str | None = None
    """Events of a key keep their order; default: the symbol in the data, else the source."""

    def __post_init__(self) -> None:
        """Check what would be found out too late otherwise."""
        try:
            object.__setattr__(self, "event_type", EventType(self.event_type))
        except ValueError:
            raise EventError(
                f"no event type {self.event_type!r}; there are {', '.join(EventType)}"
            ) from None
        if self.timestamp.tzinfo is None:
            raise EventError(
                f"timestamp {self.timestamp} has no zone: use datetime.now(timezone.utc)"
            )
        object.__setattr__(self, "timestamp", self.timestamp.astimezone(UTC))
        if self.key is None:
            symbol = None if isinstance(self.data, StoredPayload) else self.data.get("symbol")
            object.__setattr__(self, "key", str(symbol) if symbol else self.source)


class PayloadRef(Struct, frozen=True):
    """Where the data of an event is that was too large to travel in it."""

    topic: str
    partition: int
    offset: int
    size: int
    """Bytes of JSON."""


class StoredPayload(Mapping[str, Any]):
    """Data by reference: fetched when it is first looked at.

    Args:
        ref: Where it is.
        fetch: Gives its JSON; LookupError where it is gone.
    """

    def __init__(self, ref: PayloadRef, fetch: Callable[[], bytes]) -> None:
        self.ref = ref
        self._fetch = fetch
        self._data: dict[str, Any] | None = None

    def _loaded(self) -> dict[str, Any]:
        if self._data is None:
            self._data = msgspec.json.decode(self._fetch(), type=dict[str, Any])
        return self._data

    @property
    def fetched(self) -> bool:
        """Whether it has been looked at."""
        return self._data is not None

    def __getitem__(self, name: str) -> Any:
        """One value."""
        return self._loaded()[name]

    def __iter__(self) -> Iterator[str]:
        """All names."""
        return iter(self._loaded())

    def __len__(self) -> int:
        """How many names there are."""
        return len(self._loaded())


class _Wire(Struct, frozen=True):
    """An event as it is written."""

    event_type: str
    source: str
    timestamp: datetime
    data: dict[str, Any]
    correlation_id: str | None
    event_id: str
    key: str
    schema_version: int = SCHEMA_VERSION
    payload: PayloadRef | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Wire)


def encode_data(event: Event) -> bytes:
    """JSON of the data alone. EventError where it holds what JSON cannot."""
    try:
        return _encoder.encode(dict(event.data))
    except (TypeError, msgspec.EncodeError, ValueError) as error:
        raise EventError(f"{event.event_type} from {event.source}: data: {error}") from error


def encode(event: Event, payload: PayloadRef | None = None) -> bytes:
    """Record value of an event; with ``payload`` its data is left out."""
    wire = _Wire(
        event.event_type.value,
        event.source,
        event.timestamp,
        {} if payload else dict(event.data),
        event.correlation_id,
        event.event_id,
        event.key or event.source,
        SCHEMA_VERSION,
        payload,
    )
    try:
        return _encoder.encode(wire)
    except (TypeError, msgspec.EncodeError, ValueError) as error:
        raise EventError(f"{event.event_type} from {event.source}: data: {error}") from error


def decode(value: bytes | None, fetch: Callable[[PayloadRef, str], bytes]) -> Event:
    """The event of a record value; ``fetch`` gives data by reference and event id.

    Raises:
        EventError: Where it is none.
    """
    if value is None:
        raise EventError("no value")
    try:
        wire = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError(f"not an event: {error}") from error
    data: Mapping[str, Any] = wire.data
    if wire.payload is not None:
        ref = wire.payload
        data = StoredPayload(ref, lambda: fetch(ref, wire.event_id))
    return Event(
        EventType(wire.event_type) if wire.event_type in _KNOWN else _unknown(wire.event_type),
        wire.source,
        wire.timestamp,
        data,
        wire.correlation_id,
        wire.event_id,
        wire.key,
    )


_KNOWN = frozenset(EventType)


def _unknown(name: str) -> EventType:
    raise EventError(f"no event type {name!r}")
