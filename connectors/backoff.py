"""Waiting times between tries: exponential, with full jitter.

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
