"""When event time moves in a partition although nothing happens in it.

Pure: monotonic time comes in as an argument.
"""


class HeartbeatClock:
    """Event time of one partition between its events.

        clock = HeartbeatClock(margin=2.0)
        clock.event(venue_time)              # for each event, µs
        clock.tick(now)                      # each second -> µs, or None: stay silent

    ``tick`` gives last venue time + (monotonic time since then - margin) x ``speed``. It never
    falls, there is none before the first event, and it never uses the wall clock: a replay of
    2021 has heartbeats of 2021.

    A tick that comes late shows that the loop was busy: frames that came in the meantime are not
    read yet, and a heartbeat would overtake them. So a late tick is silent, and the time that the
    loop was busy does not count as elapsed.

    Args:
        margin: How far heartbeats stay behind, real seconds: what may be on its way.
        speed: Venue seconds per real second (replay); it stretches the margin too, because a
            process that waits 0.1 s for its turn is 20 s late in a market played at 200x.
        period: How often ``tick`` is called, seconds.
        tolerance: How much later than ``period`` a tick may come, seconds.
    """

    __slots__ = (
        "_base",
        "_last_tick",
        "_margin",
        "_period",
        "_speed",
        "_tolerance",
        "pending",
        "sent",
        "venue_time",
    )

    def __init__(
        self,
        margin: float = 2.0,
        speed: float = 1.0,
        period: float = 1.0,
        tolerance: float = 0.5,
    ) -> None:
        self._margin = round(margin * speed * 1_000_000)
        self._speed = speed
        self._period = period
        self._tolerance = tolerance
        self._base = 0.0
        self._last_tick: float | None = None
        self.sent: int | None = None
        self.venue_time: int | None = None
        """Highest venue time seen, µs."""
        self.pending = 0
        """Highest venue time of the events since the last tick, 0 for none: the hot path writes
        it without a call."""

    def event(self, ts_event: int) -> None:
        """Note an event's venue time, µs."""
        if ts_event > self.pending:
            self.pending = ts_event

    def tick(self, now: float, quiet: bool = False, stalled: bool = False) -> int | None:
        """Event time to publish, µs, or None.

        Args:
            now: Monotonic time, seconds.
            quiet: The feed is not healthy, or holds trades back. Time runs on: after the hold
                everything up to now is published.
            stalled: Frames were left unread since the last tick. Time stands still.
        """
        since_last = 0.0 if self._last_tick is None else now - self._last_tick
        late = since_last > self._period + self._tolerance
        self._last_tick = now
        if self.pending and (self.venue_time is None or self.pending >= self.venue_time):
            self.venue_time = self.pending
            self._base = now
        elif late or stalled:
            self._base += since_last
        self.pending = 0
        if late or stalled or quiet or self.venue_time is None:
            return None
        elapsed = round((now - self._base) * 1_000_000 * self._speed)
        value = self.venue_time + elapsed - self._margin
        if self.sent is not None and value <= self.sent:
            return None
        self.sent = value
        return value
