"""Waiting times: between tries exponential with full jitter, between calls an even pace.

Full jitter spreads the clients that one outage cut off, so that they do not all return at once
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

import random
from collections.abc import Callable, Iterator


def delays(
    base: float = 0.5,
    cap: float = 30.0,
    uniform: Callable[[float, float], float] = random.uniform,
) -> Iterator[float]:
    """Endless waiting times in seconds: the n-th lies in [0, min(cap, base * 2**n)].

    Args:
        base: Upper bound of the first delay, seconds.
        cap: Upper bound of every delay, seconds.
        uniform: Source of randomness; tests pass their own.

    Raises:
        ValueError: Where base or cap is not positive.
    """
    if base <= 0 or cap <= 0:
        raise ValueError(f"base and cap must be positive, was base={base}, cap={cap}")
    ceiling = min(base, cap)
    while True:
        yield uniform(0.0, ceiling)
        ceiling = min(cap, ceiling * 2)


class Pace:
    """An even pace of calls with bursts (the generic cell rate algorithm, ITU-T I.371).

    Args:
        interval: Mean time between calls in the long run, seconds.
        burst: Calls that may go at once after a pause.
    """

    def __init__(self, interval: float, burst: int) -> None:
        self._interval = interval
        self._tolerance = (burst - 1) * interval
        self._due = 0.0

    def wait(self, now: float) -> float:
        """Take the next place; gives the seconds to wait for it from ``now`` (monotonic)."""
        due = max(now, self._due)
        self._due = due + self._interval
        return max(0.0, due - self._tolerance - now)
