"""Which streams went silent, told apart from streams that are merely quiet.

A stream is one channel of one symbol. A symbol that usually trades once a minute is not stale
after half a minute: the limit grows with the longest pause the stream is known to make. Pure.
"""

from typing import NamedTuple

Stream = tuple[str, str]
"""Channel and symbol."""


class Change(NamedTuple):
    """A stream that became stale or recovered."""

    stream: Stream
    is_stale: bool
    seconds: float
    """How long it has been silent (stale), or was (recovered)."""


class StalenessMonitor:
    """Watches the time of the last event of each stream.

        monitor = StalenessMonitor({"trades": 60.0})
        monitor.watch(("trades", "BTC-USDT"), now)
        monitor.seen(("trades", "BTC-USDT"), when)      # time of its last event
        monitor.check(now)                              # -> what changed

    Args:
        limits: Shortest silence that counts, seconds, per channel.
        patience: A stream is stale after ``patience`` times the longest pause seen in it.
    """

    def __init__(self, limits: dict[str, float], patience: float = 3.0) -> None:
        self._limits = limits
        self._patience = patience
        self._last: dict[Stream, float] = {}
        self._longest: dict[Stream, float] = {}
        self._stale: set[Stream] = set()

    def watch(self, stream: Stream, now: float) -> None:
        """Begin (again) to expect events: after each subscribe. Learned pauses stay."""
        self._last[stream] = now

    def forget(self, stream: Stream) -> None:
        """Expect nothing of it any more."""
        self._last.pop(stream, None)
        self._longest.pop(stream, None)
        self._stale.discard(stream)

    def seen(self, stream: Stream, when: float) -> Change | None:
        """Note the time of the latest event, seconds; gives the recovery if it was stale."""
        pause = when - self._last.get(stream, when)
        if pause < 0:
            return None
        self._last[stream] = when
        if stream in self._stale:
            self._stale.discard(stream)
            return Change(stream, False, pause)
        if pause > self._longest.get(stream, 0.0):
            self._longest[stream] = pause
        return None

    def mark(self, stream: Stream) -> bool:
        """Take a stream for stale for a reason of the caller's; False where it is already."""
        if stream in self._stale:
            return False
        self._stale.add(stream)
        return True

    def check(self, now: float) -> list[Change]:
        """Streams that have become stale since the last call."""
        changes = []
        for stream, last in self._last.items():
            silence = now - last
            if stream not in self._stale and silence > self.limit(stream):
                self._stale.add(stream)
                changes.append(Change(stream, True, silence))
        return changes

    def limit(self, stream: Stream) -> float:
        """Seconds of silence after which this stream is stale."""
        return max(self._limits[stream[0]], self._patience * self._longest.get(stream, 0.0))

    @property
    def stale(self) -> frozenset[Stream]:
        """Streams that are stale now."""
        return frozenset(self._stale)
