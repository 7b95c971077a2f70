"""Errors that come in bursts, reported once: the first at once, the rest as a number."""

import logging
import threading
import time
from collections.abc import Callable

QUIET = 10.0
"""Seconds without the error after which its burst is over; also the longest silence within one."""


class Bursts:
    """Logs the first error of a burst, then at most one line each ``period`` with the count.

    Safe to call from any thread.

    Args:
        logger: Where lines go, at level ERROR.
        period: Seconds between two lines of one burst.
        clock: Monotonic seconds; tests pass their own.
    """

    def __init__(
        self,
        logger: logging.Logger,
        period: float = QUIET,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._period = period
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def report(self, key: str, text: str, error: BaseException | None = None) -> bool:
        """Log ``text`` unless the burst ``key`` was reported just now; gives whether it was."""
        now = self._clock()
        with self._lock:
            last = self._said.get(key)
            if last is not None and now - last < self._period:
                self._held[key] = self._held.get(key, 0) + 1
                return False
            self._said[key] = now
            held = self._held.pop(key, 0)
        more = f" ({held} more since the last report)" if held else ""
        self._logger.error("%s%s", text, more, exc_info=error if last is None else None)
        return True
