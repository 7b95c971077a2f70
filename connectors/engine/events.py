"""What the engine calls the events, how urgent each is, and what may be merged when it is late."""

from collections.abc import Hashable, Mapping
from typing import Any, Literal, get_args

from msgspec import Struct

from connectors.errors import ConfigurationError
from connectors.events import BookUpdate, Candle, Quote
from connectors.kafka.conflate import merge_books

Policy = Literal["block", "conflate", "drop_oldest", "drop_newest"]
"""What happens to an event whose lane is full:

- ``block``: the emitter waits; nothing is lost;
- ``conflate``: it is merged with the one of the same symbol that waits, so that the end state is
  the same (last quote, last size per price level);
- ``drop_oldest``: the oldest event of its type in the lane gives way;
- ``drop_newest``: it is not taken.
"""

TYPE_OF_TAG: dict[str, str] = {
    "quote": "price_update",
    "candle": "price_update",
    "trade": "trade",
    "book": "order_book",
    "order_status": "order_status",
    "position_update": "position_update",
    "status": "system",
    "heartbeat": "system",
}
"""Event type by the ``event_type`` of a market event (its struct's tag)."""

PRIORITIES: dict[str, int] = {
    "system": 0,
    "alert": 0,
    "order_status": 0,
    "position_update": 0,
    "trade": 1,
    "price_update": 2,
    "order_book": 3,
}
"""Lower goes first. Types of a user's own go with `DEFAULT_PRIORITY`."""

DEFAULT_PRIORITY = 1

POLICIES: dict[str, Policy] = {"price_update": "conflate", "order_book": "conflate"}
"""Where it is not ``block``."""

CONFLATABLE = frozenset({"price_update", "order_book"})
"""Of the types of market events; a user's own may be conflated too: the newest of a symbol wins."""


class EngineEvent(Struct, frozen=True):
    """An event that is none of `connectors.events`: an alert, a signal, a user's own.

    ``priority`` None takes that of the type; ``timestamp`` is in µs since the epoch, UTC.
    """

    event_type: str
    symbol: str
    timestamp: int
    data: Any = None
    priority: int | None = None


def type_of(event: Any) -> str:
    """Event type of a market event or an `EngineEvent`. TypeError where it is neither."""
    if isinstance(event, EngineEvent):
        return event.event_type
    tag = getattr(getattr(event, "__struct_config__", None), "tag", None)
    if not isinstance(tag, str) or tag not in TYPE_OF_TAG:
        raise TypeError(
            f"no event of the engine: {type(event).__name__}; emit a struct of connectors.events, "
            "or wrap it in an EngineEvent"
        )
    return TYPE_OF_TAG[tag]


def conflation_key(event: Any) -> Hashable:
    """What must be equal in two events of which the later one takes the place of the former."""
    if isinstance(event, Candle):
        return ("candle", event.exchange, event.symbol, event.interval, event.open_time)
    if isinstance(event, EngineEvent):
        return (event.event_type, event.symbol)
    return (type(event).__name__, event.exchange, event.symbol)


def merged(older: Any, newer: Any) -> tuple[Any, bool]:
    """One event in place of two, and whether it has the effect of both.

    Without it a book has a hole, and its reader sees that ``prev_sequence`` does not fit.
    """
    if not isinstance(newer, BookUpdate):
        return newer, isinstance(newer, (Quote, Candle))
    try:
        return merge_books(older, newer), True
    except ValueError:
        return newer, False


def check_policies(policies: Mapping[str, Policy]) -> None:
    """Refuse what a type cannot have: ConfigurationError names the remedy."""
    known = get_args(Policy)
    for event_type, policy in policies.items():
        if policy not in known:
            raise ConfigurationError(
                f"policy of {event_type}: no {policy!r}; there are {', '.join(known)}"
            )
        if policy == "conflate" and event_type in set(TYPE_OF_TAG.values()) - CONFLATABLE:
            raise ConfigurationError(
                f"policy of {event_type}: each of its events matters, so they cannot be "
                "conflated; take block, drop_oldest or drop_newest"
            )
