"""Who takes events out of lanes: the plain handlers together, and each other handler alone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from connectors.engine.events import Policy
from connectors.engine.lanes import Lanes, Waiting
from connectors.engine.stats import Counters

PlainHandler = Callable[[Any], object]
AsyncHandler = Callable[[Any], Awaitable[object]]

TURN = 256
"""Events after which the loop's other tasks have their turn."""

handling: ContextVar[bool] = ContextVar("handling", default=False)
"""Whether the code that runs was called by the engine as a handler that may wait."""


class Consumer:
    """A bounded set of lanes, and whoever empties it.

    Args:
        capacity: Most events in one lane.
        counters: Told of each event that was handled or given up.
        room: Called when an event has left a lane.
    """

    def __init__(self, capacity: int, counters: Counters, room: Callable[[], None]) -> None:
        self.lanes = Lanes(capacity)
        self.busy = False
        self._counters = counters
        self._room = room
        self._wake = asyncio.Event()

    @property
    def quiet(self) -> bool:
        """Nothing waits and nothing is being handled."""
        return not self.lanes.size and not self.busy

    def put(self, waiting: Waiting, priority: int, policy: Policy) -> None:
        """Let an event wait for its turn."""
        given_up = self.lanes.push(waiting, priority, policy)
        if given_up is not None:
            self._counters.give_up(given_up)
        self._wake.set()

    async def woken(self) -> None:
        """Wait until an event was put."""
        await self._wake.wait()
        self._wake.clear()


class HandlerConsumer(Consumer):
    """One handler that may wait: it has lanes and a task of its own, so it delays nobody else."""

    def __init__(
        self,
        handler: AsyncHandler,
        failed: Callable[[BaseException], None],
        capacity: int,
        counters: Counters,
        room: Callable[[], None],
    ) -> None:
        super().__init__(capacity, counters, room)
        self._handler = handler
        self._failed = failed

    async def run(self) -> None:
        """Handle events, one after the other, for ever."""
        handling.set(True)
        while True:
            while self.lanes.size:
                self.busy = True
                try:
                    await self._turn()
                finally:
                    self.busy = False
                await asyncio.sleep(0)
            await self.woken()

    async def _turn(self) -> None:
        lanes, handler = self.lanes, self._handler
        for _ in range(TURN):
            if not lanes.size:
                return
            waiting = lanes.pop()
            self._room()
            try:
                await handler(waiting.event)
            except Exception as error:
                self._failed(error)
            self._counters.done(waiting)


class InlineConsumer(Consumer):
    """All plain handlers: they run in the emitter's own call where nothing waits before it."""

    def __init__(
        self,
        dispatch: Callable[[Waiting], None],
        capacity: int,
        counters: Counters,
        room: Callable[[], None],
    ) -> None:
        super().__init__(capacity, counters, room)
        self._dispatch = dispatch

    def drain(self) -> None:
        """Handle at most `TURN` events now."""
        lanes = self.lanes
        self.busy = True
        for _ in range(TURN):
            if not lanes.size:
                break
            waiting = lanes.pop()
            self._room()
            self._dispatch(waiting)
            self._counters.done(waiting)
        self.busy = False


def in_thread(handler: PlainHandler) -> AsyncHandler:
    """A plain handler that may block, run in the event loop's thread pool."""

    async def handle(event: Any) -> None:
        await asyncio.to_thread(handler, event)

    return handle
