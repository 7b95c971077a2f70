"""What becomes of events while Kafka is slow: one policy per channel. Pure.

| policy | above `CONFLATE_ABOVE` of the producer's buffer an event |
|---|---|
| ``block`` | is published all the same; a full buffer leaves the socket unread, then closes it |
| ``conflate`` | is merged with the one of its symbol that waits already: the end state is right |
| ``drop_oldest`` | waits; where too many of its channel do, the oldest of them is dropped |
| ``drop_newest`` | is dropped |

What is dropped is counted and never quietly missing: a dropped trade is a hole that REST is asked
for once there is room (or that is told as a gap), a dropped book update resets its symbol's book.
"""

from collections import deque
from collections.abc import Iterator, Mapping

from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.kafka.conflate import Conflator
from connectors.settings import Policy

Kept = Trade | Quote | BookUpdate | Candle


class Backlog:
    """The events that wait for room.

    Bounded: conflated ones by the number of symbols, the others by ``most`` per channel.

    Args:
        policies: By channel; one that is not named blocks.
        most: How many events of a channel wait under ``drop_oldest``.
    """

    def __init__(self, policies: Mapping[str, Policy], most: int) -> None:
        self._policies = dict(policies)
        self._most = most
        self._conflator = Conflator()
        self._lanes: dict[str, deque[Kept]] = {channel: deque() for channel in policies}

    def holds(self, channel: str) -> bool:
        """Whether events of a channel come here while Kafka is slow."""
        return self._policies.get(channel, "block") != "block"

    def drops(self, channel: str) -> bool:
        """Whether events of a channel may be lost while Kafka is slow."""
        return self._policies.get(channel, "block") in ("drop_oldest", "drop_newest")

    def add(self, channel: str, event: Kept) -> list[Kept]:
        """Take an event of a channel that `holds`; gives what is dropped for it, or itself."""
        policy = self._policies[channel]
        if policy == "conflate" and isinstance(event, Quote | BookUpdate):
            self._conflator.add(event)
            return []
        if policy != "drop_oldest":
            return [event]
        lane = self._lanes[channel]
        lane.append(event)
        return [lane.popleft()] if len(lane) > self._most else []

    def forget_book(self, symbol: str) -> list[Kept]:
        """Drop the book updates of a symbol: nothing they could continue will be published."""
        lane = self._lanes.get("books", deque())
        gone = [event for event in lane if event.symbol == symbol]
        if gone:
            self._lanes["books"] = deque(event for event in lane if event.symbol != symbol)
        return gone

    def take(self) -> Iterator[Kept]:
        """Everything that waits, each channel in order; nothing waits afterwards."""
        yield from self._conflator.take()
        for lane in self._lanes.values():
            while lane:
                yield lane.popleft()

    @property
    def conflated(self) -> int:
        """How many events were merged into, or replaced by, a later one."""
        return self._conflator.count
