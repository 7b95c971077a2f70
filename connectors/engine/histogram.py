"""A latency histogram of fixed size: memory does not grow, quantiles are right within 6 %."""

SUB_BITS = 3
SUB = 1 << SUB_BITS
"""Buckets per power of two."""
OCTAVES = 45
"""Up to 2**45 ns: nearly ten hours."""


class Histogram:
    """Counts of durations in ns, in buckets whose width is an eighth of their power of two."""

    __slots__ = ("_counts", "count", "largest", "total")

    def __init__(self) -> None:
        self._counts = [0] * (OCTAVES * SUB)
        self.count = 0
        self.total = 0
        """Sum of all durations, ns."""
        self.largest = 0

    def add(self, duration: int) -> None:
        """Count one duration; a negative one (a clock that stepped) counts as 0."""
        duration = max(0, duration)
        self.count += 1
        self.total += duration
        self.largest = max(self.largest, duration)
        self._counts[min(_bucket(duration), len(self._counts) - 1)] += 1

    def mean(self) -> float:
        """Average in ns; 0 before the first."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Duration in ns that ``share`` of all do not exceed; 0 before the first."""
        wanted = share * self.count
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(_middle(bucket), float(self.largest))
        return 0.0


def _bucket(duration: int) -> int:
    """Index: the power of two, and the three bits after its leading one."""
    shift = duration.bit_length() - SUB_BITS - 1
    if shift <= 0:
        return duration
    return (shift << SUB_BITS) + (duration >> shift)


def _middle(bucket: int) -> float:
    """Middle of a bucket, ns."""
    shift = (bucket >> SUB_BITS) - 1
    if shift <= 0:
        return float(bucket)
    low = (SUB + (bucket & (SUB - 1))) << shift
    return low + ((1 << shift) - 1) / 2
