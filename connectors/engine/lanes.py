"""Events that wait for one consumer: a bounded queue per priority, in order of arrival."""

from collections import deque
from collections.abc import Hashable
from typing import Any, NamedTuple

from connectors.engine.events import Policy, conflation_key, merged


class Ticket:
    """Follows one event through all consumers that have it."""

    __slots__ = ("emitted", "handled", "left")

    def __init__(self, emitted: int, left: int) -> None:
        self.emitted = emitted
        """When it was emitted, ns of the monotonic clock."""
        self.left = left
        """Consumers that are not done with it."""
        self.handled = False
        """Whether one is."""


class Waiting:
    """One event in one lane."""

    __slots__ = ("event", "event_type", "key", "ticket")

    def __init__(self, event: Any, event_type: str, ticket: Ticket) -> None:
        self.event = event
        self.event_type = event_type
        self.ticket = ticket
        self.key: Hashable = None
        """Set where later events are merged into this one."""


class GivenUp(NamedTuple):
    """An event that no longer waits though nobody has handled it."""

    waiting: Waiting
    merged: bool
    """Its effect is in another event; otherwise it is lost."""


class Lanes:
    """One lane per priority, each of at most ``capacity`` events.

    A lane of conflated events may hold one more for each symbol: the event into which those
    that follow are merged.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        """Events that wait in all lanes."""
        self._lanes: dict[int, deque[Waiting]] = {}
        self._order: list[int] = []
        self._beyond: dict[Hashable, Waiting] = {}

    def full(self, priority: int) -> bool:
        """Whether a lane is at its bound."""
        lane = self._lanes.get(priority)
        return lane is not None and len(lane) >= self.capacity

    def push(self, waiting: Waiting, priority: int, policy: Policy) -> GivenUp | None:
        """Let an event wait; gives what was given up for it, or the event itself.

        Whether ``block`` lets it in is the caller's to ask `full` before: here it always does.
        """
        lane = self._lanes.get(priority)
        if lane is None:
            lane = self._lanes[priority] = deque()
            self._order = sorted(self._lanes)
        given_up = None
        full = len(lane) >= self.capacity
        if policy == "conflate":
            if full or self._beyond:
                key = (priority, conflation_key(waiting.event))
                before = self._beyond.get(key)
                if before is not None:
                    return _merge(before, waiting)
                if full:
                    waiting.key = key
                    self._beyond[key] = waiting
        elif full and policy != "block":
            given_up = self._drop(lane, waiting.event_type) if policy == "drop_oldest" else None
            if given_up is None:
                return GivenUp(waiting, merged=False)
        lane.append(waiting)
        self.size += 1
        return given_up

    def _drop(self, lane: deque[Waiting], event_type: str) -> GivenUp | None:
        """Take the oldest event of a type out of a lane; None where the lane has none."""
        for index, waiting in enumerate(lane):
            if waiting.event_type == event_type:
                del lane[index]
                self.size -= 1
                self._beyond.pop(waiting.key, None)
                return GivenUp(waiting, merged=False)
        return None

    def pop(self) -> Waiting:
        """Take the most urgent event, the oldest of those. IndexError where none waits."""
        for priority in self._order:
            lane = self._lanes[priority]
            if lane:
                waiting = lane.popleft()
                self.size -= 1
                if waiting.key is not None:
                    del self._beyond[waiting.key]
                return waiting
        raise IndexError("no event waits")


def _merge(before: Waiting, newer: Waiting) -> GivenUp:
    """Put the effect of ``newer`` into the one that waits, which keeps its place."""
    before.event, whole = merged(before.event, newer.event)
    # The newer ticket goes on: its event is the one that will be handled.
    before.ticket, newer.ticket = newer.ticket, before.ticket
    return GivenUp(newer, merged=whole)
