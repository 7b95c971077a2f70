"""Which streams went silent and why, told apart from streams that are merely quiet.

A stream is one channel of one symbol. A symbol that usually trades once a minute is not stale
after half a minute: the limit grows with the longest pause the stream is known to make. Where a
stream is stale, its neighbours tell the cause; each cause is the first word of a ``stale`` status
and of the ``recovered`` that ends it:

| cause | the stream is silent beyond its limit, and |
|---|---|
| ``symbol`` | other symbols of its channel have events: the venue has lost or halted this one |
| ``channel`` | no symbol of its channel has, but other channels do: the venue's channel is down |
| ``venue`` | nothing has events, though the connection lives: its pings are answered |
| ``connection`` | not even a ping is answered (told by `connectors.feed.pulse`, for all streams) |
| ``book`` | its book is broken and waits for a snapshot |

Pure.
"""

from typing import Literal, NamedTuple

Stream = tuple[str, str]
"""Channel and symbol."""

Cause = Literal["symbol", "channel", "venue", "connection", "book"]


class Change(NamedTuple):
    """A stream that became stale or recovered."""

    stream: Stream
    is_stale: bool
    seconds: float
    """How long it has been silent (stale), or was (recovered): tells the beginning."""
    cause: Cause


class _Stale(NamedTuple):
    since: float
    cause: Cause


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
        self._latest: dict[str, float] = {}
        """Time of the last event of each channel."""
        self._stale: dict[Stream, _Stale] = {}

    def watch(self, stream: Stream, now: float) -> None:
        """Begin (again) to expect events: after each subscribe. Learned pauses stay."""
        self._last[stream] = now

    def rest(self, now: float) -> None:
        """Nobody reads just now: this silence is nobody's, and no pause to learn from."""
        for stream in self._last:
            if stream not in self._stale:
                self._last[stream] = now

    def forget(self, stream: Stream) -> None:
        """Expect nothing of it any more."""
        self._last.pop(stream, None)
        self._longest.pop(stream, None)
        self._stale.pop(stream, None)

    def seen(self, stream: Stream, when: float) -> Change | None:
        """Note the time of the latest event, seconds; gives the recovery if it was stale."""
        pause = when - self._last.get(stream, when)
        if pause < 0:
            return None
        self._last[stream] = when
        self._latest[stream[0]] = when
        stale = self._stale.get(stream)
        if stale is not None:
            return None if stale.cause == "book" else self.recover(stream, when)
        if pause > self._longest.get(stream, 0.0):
            self._longest[stream] = pause
        return None

    def mark_book(self, stream: Stream, now: float) -> bool:
        """Take a stream for stale because its book is broken; False where it is already.

        Its events do not end that, as they may be from before: the caller does, by `recover`.
        """
        known = self._stale.get(stream)
        self._stale[stream] = _Stale(now if known is None else known.since, "book")
        return known is None

    def recover(self, stream: Stream, now: float) -> Change | None:
        """End the staleness of a stream; None where it was not stale."""
        stale = self._stale.pop(stream, None)
        return None if stale is None else Change(stream, False, now - stale.since, stale.cause)

    def check(self, now: float) -> list[Change]:
        """Streams that have become stale since the last call."""
        changes = []
        for stream, last in self._last.items():
            silence = now - last
            if stream not in self._stale and silence > self.limit(stream):
                cause = self._cause(stream, now)
                self._stale[stream] = _Stale(last, cause)
                changes.append(Change(stream, True, silence, cause))
        return changes

    def _cause(self, stream: Stream, now: float) -> Cause:
        """What the neighbours of a silent stream say."""
        channels = {
            channel for channel, when in self._latest.items() if now - when <= self._limits[channel]
        }
        if stream[0] in channels:
            return "symbol"
        return "channel" if channels else "venue"

    def limit(self, stream: Stream) -> float:
        """Seconds of silence after which this stream is stale."""
        return max(self._limits[stream[0]], self._patience * self._longest.get(stream, 0.0))

    def is_usual(self, stream: Stream, seconds: float) -> bool:
        """Whether a silence is one that the stream is known for: it is thin, not dead."""
        return seconds <= self._patience * self._longest.get(stream, 0.0)

    @property
    def stale(self) -> frozenset[Stream]:
        """Streams that are stale now."""
        return frozenset(self._stale)
