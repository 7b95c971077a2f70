"""The simulated clock: where simulated time stands, and how far it may go now.

Time starts in the past, runs at ``catch_up`` times until it reaches the wall clock and follows
it from then on; or, without a catch-up, runs at ``speed`` for ever. It is moved by the engine
after the work for an instant is done, so a market that cannot keep up goes slower, never wrong.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Clock:
    """Simulated time in µs (``now_us``); ``wall`` and ``monotonic`` return seconds."""

    def __init__(
        self,
        start_us: int,
        *,
        speed: float = 1.0,
        catch_up: float | None = None,
        paused: bool = False,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.start_us = start_us
        self.now_us = start_us
        self.speed = speed
        self.catch_up = catch_up
        self.paused = paused
        self.caught_up = False
        self._wall = wall
        self._monotonic = monotonic
        self._seen = monotonic()

    @property
    def rate(self) -> float:
        """Simulated seconds per second, now."""
        if self.paused:
            return 0.0
        if self.catch_up is None:
            return self.speed
        return 1.0 if self.caught_up else self.catch_up

    def target(self) -> int:
        """How far time may go now. What is not used of it is forgotten."""
        now = self._monotonic()
        elapsed, self._seen = now - self._seen, now
        if self.paused:
            return self.now_us
        if self.catch_up is None:
            return self.now_us + round(elapsed * self.speed * 1_000_000)
        wall_us = round(self._wall() * 1_000_000)
        reached = self.now_us + round(elapsed * self.catch_up * 1_000_000)
        self.caught_up = reached >= wall_us or wall_us - self.now_us < 100_000
        return max(self.now_us, min(reached, wall_us))

    def resume(self) -> None:
        """Go on after a pause; the time of the pause does not count."""
        if self.paused:
            self.paused = False
            self._seen = self._monotonic()


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``15m``, ``2h``, ``1d``; ValueError otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None:
        raise ValueError(f"not a duration: {text!r} (examples: 90s, 15m, 2h)")
    return float(match[1]) * _UNITS[match[2] or "s"]


def parse_speed(text: str) -> float:
    """Factor of ``200x`` or ``200``; ValueError where it is not a positive number."""
    try:
        value = float(text.strip().removesuffix("x"))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise ValueError(f"not a speed: {text!r} (examples: 200x, 1, 0.5)")
    return value


def parse_start(text: str) -> int:
    """µs of an ISO time; UTC where it names no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)
