"""`EventEngine`: from those who emit events to those who handle them, within bounds."""

import asyncio
import inspect
import logging
import time
from collections.abc import Mapping
from typing import Any

from connectors.engine.consumers import (
    Consumer,
    HandlerConsumer,
    InlineConsumer,
    PlainHandler,
    handling,
    in_thread,
)
from connectors.engine.events import (
    DEFAULT_PRIORITY,
    POLICIES,
    PRIORITIES,
    EngineEvent,
    Policy,
    check_policies,
    type_of,
)
from connectors.engine.lanes import Ticket, Waiting
from connectors.engine.stats import Counters, ProcessingStats, clock
from connectors.errors import ConfigurationError, ConnectorError

logger = logging.getLogger(__name__)

SAMPLE = 32
"""Of the events that plain handlers take at once every 32nd is timed: reading the clock twice
would cost as much as everything else. What waits in a lane is always timed."""

DRAIN_TIMEOUT = 10.0
"""Seconds that `EventEngine.process_events` gives to what still waits when it is stopped."""


class EngineStopped(ConnectorError):
    """An event was emitted after `EventEngine.stop`."""


class _Route:
    """Where events of one type go."""

    __slots__ = ("consumers", "event_type", "plain", "policy", "priority")

    def __init__(self, event_type: str, policy: Policy) -> None:
        self.event_type = event_type
        self.policy = policy
        self.priority = PRIORITIES.get(event_type, DEFAULT_PRIORITY)
        self.plain: tuple[PlainHandler, ...] = ()
        self.consumers: tuple[Consumer, ...] = ()


class EventEngine:
    """Distributes market events to handlers; see the package for an example.

    Handlers of a type run in parallel: each coroutine function (and each plain function
    registered with ``threaded=True``) has a task and bounded lanes of its own, so a slow one
    delays only itself. Other plain functions run one after the other in the emitter's call and
    must not wait. A handler's exception is counted, logged once per burst, and stops nobody.

    All calls must come from the thread of one event loop.

    Args:
        capacity: Most events in one lane of one handler.
        policies: Per event type, what happens when its lane is full; see
            `connectors.engine.events.Policy`. Default: prices and books are conflated, all
            else blocks.

    Raises:
        ConfigurationError: For a policy that a type cannot have.
    """

    def __init__(
        self, capacity: int = 10_000, policies: Mapping[str, Policy] | None = None
    ) -> None:
        if capacity < 1:
            raise ConfigurationError(f"capacity must be at least 1, was {capacity}")
        self._capacity = capacity
        self._policies: dict[str, Policy] = {**POLICIES, **(policies or {})}
        check_policies(self._policies)
        self._counters = Counters(logger)
        self._routes: dict[str, _Route] = {}
        self._direct: dict[type, tuple[PlainHandler, ...]] = {}
        """Handlers of the classes that only plain ones handle: filled as events come."""
        self._inline = InlineConsumer(self._dispatch, capacity, self._counters, self._free)
        self._handlers: dict[Any, HandlerConsumer] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._running = False
        self._stopped = False
        self._idle = False
        """The engine runs, no plain handler does, and nothing waits for them."""
        self._stop = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []

    def register_handler(self, event_type: str, handler: Any, *, threaded: bool = False) -> None:
        """Let ``handler`` take each event of a type from now on.

        Args:
            event_type: ``price_update``, ``trade``, ``order_book``, ``order_status``,
                ``position_update``, ``system``, ``alert``, or that of your `EngineEvent`.
            handler: Called with the event; a coroutine function or a plain one.
            threaded: Run a plain function in a thread, because it may block.
        """
        route = self._route(event_type)
        if threaded or _may_wait(handler):
            consumer = self._handlers.get(handler) or self._new_consumer(handler, threaded)
            if consumer not in route.consumers:
                route.consumers += (consumer,)
        else:
            if not route.plain:
                route.consumers = (self._inline, *route.consumers)
            route.plain += (handler,)
        self._direct.clear()

    def emit_nowait(self, event: Any, priority: int | None = None) -> bool:
        """Emit an event from the hot path; False where a full lane with policy ``block`` is in
        the way: then nobody has taken it.

        Args:
            event: A struct of `connectors.events`, or an `EngineEvent`.
            priority: Lower goes first; default: that of the event, or of its type.

        Raises:
            EngineStopped: After `stop`.
        """
        plain = self._direct.get(type(event))
        if plain is None or not self._idle:
            return self._enqueue(event, priority)
        self._idle = False
        counters = self._counters
        counters.processed = number = counters.processed + 1
        started = 0 if number % SAMPLE else clock()
        for handler in plain:
            try:
                handler(event)
            except Exception as error:
                counters.failed(handler, error)
        if started:
            counters.latency.add(clock() - started)
        inline = self._inline
        if inline.lanes.size:
            # A handler has emitted: its events come after this one.
            inline.drain()
            self._idle = not (inline.lanes.size or self._stopped)
        else:
            self._idle = not self._stopped
        return True

    async def emit_event(self, event: Any, priority: int | None = None) -> None:
        """Emit an event, waiting for room where its lane is full and its policy is ``block``.

        A handler that emits into its own full lane waits for itself: give such a type another
        policy, or use `emit_nowait`.
        """
        while not self.emit_nowait(event, priority):
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    async def process_events(self) -> None:
        """Handle events until `stop`, then what still waits (at most `DRAIN_TIMEOUT`), and end."""
        if self._running:
            raise RuntimeError("process_events runs already")
        self._stopped = False
        self._stop.clear()
        self._running = True
        try:
            for consumer in self._handlers.values():
                self._start(consumer)
            self._tasks.append(asyncio.create_task(self._run_inline()))
            await self._stop.wait()
            await self._drain()
        finally:
            self._running = self._idle = False
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks.clear()

    def stop(self) -> None:
        """Let `process_events` drain and return; only handlers may emit from now on."""
        self._stopped = True
        self._idle = False
        self._stop.set()
        self._free()

    @property
    def processing_stats(self) -> ProcessingStats:
        """See `ProcessingStats`."""
        return self._counters.snapshot(sum(one.lanes.size for one in self._consumers()))

    def _consumers(self) -> list[Consumer]:
        return [self._inline, *self._handlers.values()]

    def _route(self, event_type: str) -> _Route:
        route = self._routes.get(event_type)
        if route is None:
            route = _Route(event_type, self._policies.get(event_type, "block"))
            self._routes[event_type] = route
        return route

    def _new_consumer(self, handler: Any, threaded: bool) -> HandlerConsumer:
        counters = self._counters
        consumer = HandlerConsumer(
            in_thread(handler) if threaded else handler,
            lambda error: counters.failed(handler, error),
            self._capacity,
            counters,
            self._free,
        )
        self._handlers[handler] = consumer
        if self._running:
            self._start(consumer)
        return consumer

    def _start(self, consumer: HandlerConsumer) -> None:
        self._tasks.append(asyncio.create_task(consumer.run()))

    def _enqueue(self, event: Any, priority: int | None) -> bool:
        """The general path: lanes, or the plain handlers at once where nothing waits."""
        if self._stopped and not (self._inline.busy or handling.get()):
            raise EngineStopped("the engine was stopped: no event is taken any more")
        route = self._route(type_of(event))
        if not route.consumers:
            self._counters.unhandled += 1
            return True
        if priority is None:
            own = event.priority if isinstance(event, EngineEvent) else None
            priority = route.priority if own is None else own
        if route.policy == "block" and any(c.lanes.full(priority) for c in route.consumers):
            return False
        ticket = Ticket(clock(), len(route.consumers))
        for consumer in route.consumers:
            consumer.put(Waiting(event, route.event_type, ticket), priority, route.policy)
        if self._idle:
            self._idle = False
            self._inline.drain()
            self._idle = not (self._inline.lanes.size or self._stopped)
            if route.consumers == (self._inline,) and not isinstance(event, EngineEvent):
                self._direct[type(event)] = route.plain
        return True

    def _dispatch(self, waiting: Waiting) -> None:
        for handler in self._routes[waiting.event_type].plain:
            try:
                handler(waiting.event)
            except Exception as error:
                self._counters.failed(handler, error)

    def _free(self) -> None:
        """Wake those who wait for room."""
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def _run_inline(self) -> None:
        """The plain handlers' backlog, which comes before what is emitted now."""
        inline = self._inline
        while True:
            while inline.lanes.size:
                self._idle = False
                inline.drain()
                await asyncio.sleep(0)
            self._idle = not self._stopped
            await inline.woken()

    async def _drain(self) -> None:
        """Let every consumer handle what it has, and what handlers still emit."""
        deadline = time.monotonic() + DRAIN_TIMEOUT
        while not all(consumer.quiet for consumer in self._consumers()):
            if time.monotonic() > deadline:
                left = self.processing_stats["waiting"]
                logger.error("engine: %d events not handled in %g s", left, DRAIN_TIMEOUT)
                return
            await asyncio.sleep(0.002)


def _may_wait(handler: Any) -> bool:
    """Whether calling it gives a coroutine."""
    call = getattr(handler, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)
