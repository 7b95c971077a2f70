"""Finding what is missing, asking for it, and saying what could not be had."""

import asyncio
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from connectors.events import Trade
from connectors.feed.fill import OUT_OF_REACH, Filled
from connectors.feed.sequence import Range, coalesce
from connectors.feed.staleness import Cause
from connectors.feed.staleness import Stream as StreamName
from connectors.feed.state import FeedState, Stream
from connectors.feed.status import moment

WORDS: dict[Cause, str] = {
    "symbol": "silent for longer than usual while other symbols of the channel are not",
    "channel": "silent for longer than usual, like the whole channel, while others are not",
    "venue": "silent for longer than usual, like everything, while the connection lives",
}
MAX_TRIES = 3
"""How often REST is asked for the same hole before it is told as a gap."""


@dataclass(slots=True)
class _Asked:
    """One request of a fill and what became of it."""

    stream: Stream
    low: int
    high: int | None
    since: int
    filled: Filled | None = None


class Repair:
    """Gap filling and staleness."""

    def __init__(self, state: FeedState) -> None:
        self._state = state
        self._counts: dict[StreamName, int] = {}
        self._asked: list[_Asked] = []

    async def fill_held(self, streams: Iterable[Stream], enough: asyncio.Event) -> None:
        """Ask for every known hole and for all since the last known id; pages go to ``held``.

        Ends early when ``enough`` is set or the fill timeout has passed.
        """
        jobs = [
            self._fill_range(stream, low, high)
            for stream in streams
            for low, high in self._ranges(stream)
        ]
        if not jobs:
            return
        work = asyncio.ensure_future(_all(jobs))
        stop = asyncio.ensure_future(enough.wait())
        try:
            timeout = self._state.settings.fill_timeout
            futures: set[asyncio.Future[Any]] = {work, stop}
            await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            stop.cancel()
        # Errors of the work itself must not pass unseen; its cancellation is meant.
        await asyncio.gather(work, return_exceptions=True)
        if work.done() and not work.cancelled() and (error := work.exception()):
            raise error

    def _ranges(self, stream: Stream) -> list[tuple[int, int | None]]:
        """What to ask for: untold holes, and from the next id to the first one held."""
        ranges: list[tuple[int, int | None]] = list(coalesce(stream.tracker.untold()))
        first = stream.tracker.next
        if first is None:
            return ranges
        held = [trade.trade_seq for trade in stream.held if trade.trade_seq >= first]
        last = min(held) - 1 if held else None
        if last is None or last >= first:
            ranges.append((first, last))
        return ranges

    async def _fill_range(self, stream: Stream, low: int, high: int | None) -> None:
        asked = _Asked(stream, low, high, stream.tracker.since(low))
        self._asked.append(asked)
        fetch = self._state.filler.fetch
        asked.filled = await fetch(stream.instrument, low, high, self._hold, asked.since)
        self._dead_letters(asked.filled)

    async def _hold(self, page: list[Trade]) -> None:
        for trade in page:
            self._state.streams[trade.symbol].held.append(trade)

    def after_hold(self) -> None:
        """Say what the fill before going live could not bring."""
        for asked in self._asked:
            stream, low, high, filled = asked.stream, asked.low, asked.high, asked.filled
            last = stream.tracker.last
            until = high if high is not None else last
            if filled is None or filled.cause:
                cause = "the fill took too long" if filled is None else filled.cause
                start = low if filled is None or filled.rest_from is None else filled.rest_from
                self._miss(asked, start, until)
                self._give_up(stream, start, until, cause, filled)
                if high is None and stream.tracker.next == low and stream.open_gap is None:
                    # Nothing came since and nobody could be asked: what is missing is unknown.
                    stream.open_gap = low
                    self._state.stats.gaps += 1
                    self._state.tell("gap", stream, channel="trades", cause=cause, from_id=low)
                    continue
            elif until is not None:
                stream.tracker.close(low, until)
                self._give_up(stream, low, until, "not in the venue's answer", filled)
            self._state.close_gap(stream)
        self._asked.clear()

    def _miss(self, asked: _Asked, low: int, high: int | None) -> None:
        """Note a range that REST did not account for, where the ids themselves do not show it."""
        rest_to = None if asked.filled is None else asked.filled.rest_to
        if high is not None:
            high = high if rest_to is None else min(high, rest_to)
            asked.stream.tracker.miss(low, high, self._state.venue_time(), asked.since)

    def ask_overdue(self, tasks: asyncio.TaskGroup) -> None:
        """Start a request for each symbol that misses trades for too long, in venue time."""
        state = self._state
        if state.publisher.sheds_trades:
            return  # what would come now would have no room either
        now = state.venue_time()
        patience = round(state.settings.missing_after * 1_000_000)
        for stream in state.streams.values():
            tracker = stream.tracker
            if tracker.dropped:
                self._tell_dropped(stream)
            if not tracker.holes:
                continue
            overdue = tracker.overdue(now, patience)
            # Overdue at two looks: in a fast replay the frame is often only a moment away.
            asked = [hole for hole in overdue if hole.noticed]
            for hole in overdue:
                hole.asked, hole.noticed = hole.noticed, True
            if asked:
                tasks.create_task(self._fill_live(stream, coalesce(asked)))

    def _tell_dropped(self, stream: Stream) -> None:
        dropped, stream.tracker.dropped = stream.tracker.dropped, []
        for gap in dropped:
            cause = "too many holes to remember"
            self._state.tell_gap(stream, gap, cause)

    async def _fill_live(self, stream: Stream, ranges: list[Range]) -> None:
        for low, high in ranges:
            since = stream.tracker.since(low)
            fetch = self._state.filler.fetch
            filled = await fetch(stream.instrument, low, high, self._publish, since)
            self._dead_letters(filled)
            if not filled.cause:
                stream.tracker.close(low, high)
            self._give_up(stream, low, high, filled.cause or "not in the venue's answer", filled)
        self._state.close_gap(stream)

    async def _publish(self, page: list[Trade]) -> None:
        for trade in page:
            if self._state.publisher.blocked:
                await self._state.publisher.wait_for_space()
            self._state.publish_trade(trade)

    def _give_up(
        self, stream: Stream, low: int, high: int | None, cause: str, filled: Filled | None
    ) -> None:
        """Count a vain try for what is still missing; after the last one tell it as a gap."""
        if high is None:
            return
        # Asking again brings no more where the answer is bounded, by us or by the venue.
        at_once = "max_fill" in cause or cause == OUT_OF_REACH
        for hole in stream.tracker.within(low, high):
            hole.tries += 1
            hole.asked = False
            hole.since = max(hole.since, self._state.venue_time())
            if at_once or hole.tries >= MAX_TRIES:
                first = None if filled is None else filled.oldest
                words = cause
                if self._state.venue.numbering != "consecutive":
                    words += in_words(hole.after, 0 if first is None else first.ts_event)
                self._state.tell_gaps(stream, hole.low, hole.high, words)

    def _dead_letters(self, filled: Filled) -> None:
        now = time.monotonic()
        for item in filled.dead:
            self._state.dead_letter(item, self._state.filler.source, time.time_ns() // 1000, now)

    def report_stale(self, now: float) -> None:
        """Publish ``stale`` and ``recovered`` per symbol and channel."""
        state = self._state
        for channel, symbol in state.subscriptions:
            name = (channel, symbol)
            count = getattr(state.streams[symbol], channel, 0)
            if count == self._counts.get(name, 0):
                continue
            self._counts[name] = count
            change = state.staleness.seen(name, now)
            if change is not None:
                state.tell(
                    "recovered",
                    state.streams[symbol],
                    channel=channel,
                    seconds=change.seconds,
                    cause=change.cause,
                )
        for change in state.staleness.check(now):
            stale_channel, symbol = change.stream
            state.tell(
                "stale",
                state.streams[symbol],
                channel=stale_channel,
                seconds=change.seconds,
                cause=f"{change.cause}: {WORDS[change.cause]}",
            )
        state.stats.stale_streams = len(state.staleness.stale)


def in_words(after: int, before: int) -> str:
    """Venue times (µs, 0 for unknown) around a range whose ids do not count its trades."""
    if not after:
        return ""
    end = f" and {moment(before)}" if before > after else ""
    return f": trades {'between' if end else 'after'} {moment(after)}{end} may be missing"


WATCH_PERIOD = 0.1
"""Seconds between two looks at what is missing."""


async def watch(state: FeedState) -> None:
    """Look for stale streams and missing trades while the feed is live, for ever."""
    repair = Repair(state)
    async with asyncio.TaskGroup() as tasks:
        while True:
            await asyncio.sleep(WATCH_PERIOD)
            if not state.live:
                continue
            if state.publisher.blocked:
                state.staleness.rest(time.monotonic())
            else:
                repair.report_stale(time.monotonic())
            repair.ask_overdue(tasks)


async def _all(jobs: list[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*jobs)
