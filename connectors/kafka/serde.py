"""Events to record values and back: one JSON object a record, tagged by ``event_type``.

>>> decode(encode(trade)) == trade
"""

import msgspec

from connectors.events import Event

encode = msgspec.json.Encoder().encode
"""Return the record value (UTF-8 JSON) of an event. Fields keep the order of their struct."""

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class EventDecodeError(ValueError):
    """A record value that is no event; ``value`` holds its bytes."""

    def __init__(self, reason: str, value: bytes) -> None:
        """Say why ``value`` is no event."""
        super().__init__(f"not an event: {reason}")
        self.value = value


def decode(value: bytes) -> Event:
    """Return the event of a record value. EventDecodeError says what is wrong with it."""
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventDecodeError(str(error), value) from error
