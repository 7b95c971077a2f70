"""Writes heartbeats into the event-time partitions of one writer, each second."""

import asyncio
import time

from connectors.events import SCHEMA_VERSION, Heartbeat
from connectors.feed.state import FeedState
from connectors.feed.status import wall_clock
from connectors.kafka import topics

PERIOD = 1.0
IDS_EVERY = 60.0
"""Seconds between two heartbeats that carry the last trade ids."""

TOPIC_OF_CHANNEL = {
    "trades": topics.TRADES,
    "quotes": topics.QUOTES,
    "books": topics.BOOKS,
    # Candles carry the time of their message, which rises; no old one is ever sent again.
    "candles": topics.CANDLES,
}


class HeartbeatWriter:
    """The rule of `HeartbeatClock`, applied to a feed."""

    def __init__(self, state: FeedState) -> None:
        self._state = state
        self._last_ids: float | None = None
        self._stalls = 0

    async def run(self) -> None:
        """Tick for ever; ticks keep their rhythm however long one takes."""
        due = time.monotonic()
        while True:
            due += PERIOD
            await asyncio.sleep(due - time.monotonic())
            due = max(due, time.monotonic() - PERIOD)
            self.tick(time.monotonic())

    def tick(self, now: float) -> None:
        """Write what is due at monotonic time ``now``."""
        state = self._state
        publisher = state.publisher
        stalled = publisher.blocked or publisher.stalls != self._stalls
        self._stalls = publisher.stalls
        for channel, clock in state.clocks.items():
            # What is held back waits: a heartbeat would overtake it.
            waits = publisher.congested and publisher.backlog.holds(channel)
            at = clock.tick(now, quiet=state.quiet(channel), stalled=stalled or waits)
            if at is not None:
                self._write(channel, at, now)

    def _write(self, channel: str, at: int, now: float) -> None:
        ids: dict[str, int] | None = None
        if channel == "trades" and (self._last_ids is None or now - self._last_ids >= IDS_EVERY):
            ids = self._state.settled_ids()
        if self.write(channel, at, ids) and ids is not None:
            self._last_ids = now

    def write(self, channel: str, at: int, ids: dict[str, int] | None) -> bool:
        """Write one heartbeat of event time ``at`` (µs); False where there is no room."""
        state = self._state
        beat = Heartbeat(
            exchange=state.venue.name,
            symbol="*",
            native_symbol="*",
            ts_event=at,
            ts_recv=wall_clock(),
            source=state.source,
            ts_source="venue",
            schema_version=SCHEMA_VERSION,
            last_trade_ids=ids,
        )
        written = state.publisher.heartbeat(beat, TOPIC_OF_CHANNEL[channel])
        state.stats.heartbeats += written
        return written

    def write_last(self) -> None:
        """At a clean end: the ids once more, so that the next process reads a short tail."""
        sent = self._state.clocks["trades"].sent
        if sent is not None:
            self.write("trades", sent, self._state.settled_ids())
