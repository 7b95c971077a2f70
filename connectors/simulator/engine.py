"""The engine: moves simulated time, lets each venue happen, applies the schedule of faults."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from connectors.simulator.clock import Clock
from connectors.simulator.faults import Fault, in_order
from connectors.simulator.ledger import Ledger
from connectors.simulator.venue import Server

TICK_SECONDS = 0.004
"""Pause between two steps; work of one step takes at most ``BUDGET_SECONDS``."""
BUDGET_SECONDS = 0.012
TEND_SECONDS = 0.2
SLICE_US = 50_000
NEVER_US = 1 << 62
SETTLE_SECONDS = 0.2
"""The clock starts this long after the last subscription, so that all of them are in."""


class Engine:
    """One run. ``waiting_for`` maps venues to the subscribers without whom time stands;
    ``start_at_release``: time starts from the wall clock when they are there.
    """

    def __init__(
        self,
        clock: Clock,
        venues: Mapping[str, Server],
        ledger: Ledger,
        *,
        waiting_for: Mapping[str, int] | None = None,
        schedule: Sequence[Fault] = (),
        start_at_release: bool = False,
    ) -> None:
        self.clock = clock
        self.venues = dict(venues)
        self.ledger = ledger
        self.stopping = asyncio.Event()
        self.held_back_seconds = 0.0
        self._waiting_for = {name: n for name, n in (waiting_for or {}).items() if n > 0}
        self._schedule = in_order(schedule)
        self._start_at_release = start_at_release
        self._tended = 0.0

    @property
    def waiting(self) -> bool:
        """Whether the clock stands until enough clients have subscribed."""
        return bool(self._waiting_for)

    @property
    def finished(self) -> bool:
        """Whether no venue will make or send another trade of its own."""
        return all(venue.finished for venue in self.venues.values())

    async def run(self) -> None:
        """Until ``stopping`` is set; a step that fails ends the run, and is raised."""
        try:
            while not self.stopping.is_set():
                behind = self.step(time.monotonic())
                await asyncio.sleep(TICK_SECONDS / 2 if behind else TICK_SECONDS)
        finally:
            self.stopping.set()

    def step(self, now: float) -> bool:
        """One tick at the monotonic time ``now``; True where time could have gone further."""
        target = self.clock.target()
        if self._waiting_for:
            self._release(now)
            target = self.clock.now_us
        if self.clock.rate > 1.0 and self._blocked(now):
            self.held_back_seconds += TICK_SECONDS
            target = self.clock.now_us
        behind = self._advance(target)
        if now - self._tended >= TEND_SECONDS:
            self._tended = now
            for venue in self.venues.values():
                venue.tend(now)
        for venue in self.venues.values():
            venue.flush()
        self.ledger.flush()
        return behind

    def _blocked(self, now: float) -> bool:
        blocked = [venue.blocked(now) for venue in self.venues.values()]  # ask all of them
        return any(blocked)

    def _release(self, now: float) -> None:
        for name, count in self._waiting_for.items():
            venue = self.venues[name]
            if venue.subscribers < count or now - venue.last_subscribed < SETTLE_SECONDS:
                return
        self._waiting_for = {}
        if self._start_at_release:
            self._shift(round(time.time() * 1000) * 1000 - self.clock.now_us)

    def _shift(self, delta_us: int) -> None:
        self.clock.start_us += delta_us
        self.clock.now_us += delta_us
        for venue in self.venues.values():
            venue.shift(delta_us)

    def _advance(self, target: int) -> bool:
        clock = self.clock
        deadline = time.perf_counter() + BUDGET_SECONDS
        while clock.now_us < target:
            end = min(target, clock.now_us - clock.now_us % SLICE_US + SLICE_US)
            end = min(end, self._start_due_faults())
            for venue in self.venues.values():
                venue.advance(end)
            clock.now_us = end
            if time.perf_counter() > deadline:
                return clock.now_us < target
        return False

    def _start_due_faults(self) -> int:
        """Start what is due; returns when the next one is, so that a slice ends just there."""
        while self._schedule:
            due_us = self.clock.start_us + round(self._schedule[0].at * 1_000_000)
            if due_us > self.clock.now_us:
                return due_us
            self.start_fault(self._schedule.pop(0))
        return NEVER_US

    def start_fault(self, fault: Fault) -> None:
        """Hand a fault to its venue; KeyError for a venue that does not run."""
        self.venues[fault.exchange].start_fault(fault)

    def state(self) -> dict[str, object]:
        """What ``GET /state`` shows."""
        return {
            "now_us": self.clock.now_us,
            "speed": 0.0 if self.waiting else self.clock.rate,
            "paused": self.clock.paused,
            "waiting": self.waiting,
            "caught_up": self.clock.caught_up,
            "finished": self.finished,
            "held_back_seconds": round(self.held_back_seconds, 3),
            "venues": {
                name: {
                    "symbols": venue.symbols,
                    "connections": len(venue.connections),
                    "subscribers": venue.subscribers,
                    "trades": venue.trades,
                    "sent": venue.sent,
                }
                for name, venue in self.venues.items()
            },
        }
