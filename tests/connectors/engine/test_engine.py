"""`EventEngine`: who gets what, in which order, and what happens when something goes wrong."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.engine import EngineEvent, EngineStopped, EventEngine
from connectors.errors import ConfigurationError
from tests.connectors.engine.making import book, candle, quote, told, trade


@asynccontextmanager
async def running(engine: EventEngine) -> AsyncIterator[None]:
    """Process events inside the block; at its end all that waits has been handled."""
    task = asyncio.create_task(engine.process_events())
    await asyncio.sleep(0.01)
    yield
    engine.stop()
    await asyncio.wait_for(task, 5)


def alert(priority: int | None = None) -> EngineEvent:
    """An alert."""
    return EngineEvent("alert", "BTC-USDT", 1, {"rule": "large"}, priority)


@pytest.mark.parametrize(
    ("event", "event_type"),
    [
        (trade(), "trade"),
        (quote(), "price_update"),
        (candle(0, "1"), "price_update"),
        (book(0, 1), "order_book"),
        (told(), "system"),
        (alert(), "alert"),
    ],
)
async def test_each_event_goes_to_the_handlers_of_its_type_only(
    event: Any, event_type: str
) -> None:
    """Our structs are known by their kind; others by the type they name."""
    engine = EventEngine()
    seen: list[tuple[str, Any]] = []
    for name in ("trade", "price_update", "order_book", "system", "alert"):
        engine.register_handler(name, lambda event, name=name: seen.append((name, event)))
    async with running(engine):
        await engine.emit_event(event)
        await engine.emit_event(event)
    assert seen == [(event_type, event)] * 2


@pytest.mark.parametrize("waits", [False, True])
async def test_urgent_events_overtake_and_equal_ones_keep_their_order(waits: bool) -> None:
    """Status and alerts, trades, quotes, books; a priority given with the event goes before."""
    engine = EventEngine()
    seen: list[Any] = []

    async def later(event: Any) -> None:
        seen.append(event)

    for name in ("trade", "price_update", "order_book", "system", "alert"):
        engine.register_handler(name, later if waits else seen.append)
    events = [book(0, 1), quote("1"), trade(1), alert(), quote("2"), trade(2), told(), alert(9)]
    for event in events:
        await engine.emit_event(event)
    await engine.emit_event(trade(3), priority=-1)
    assert engine.processing_stats["waiting"] == 9
    async with running(engine):
        pass
    urgent, first, second = events[3], events[6], events[7]
    assert seen == [
        trade(3),
        *(urgent, first),
        *(trade(1), trade(2)),
        *(quote("1"), quote("2")),
        *(book(0, 1), second),
    ]


async def test_handlers_of_a_type_run_in_parallel() -> None:
    """Coroutine functions and threaded plain ones wait at the same time."""
    engine = EventEngine()

    async def slow(_: Any) -> None:
        await asyncio.sleep(0.2)

    async def slow_too(_: Any) -> None:
        await asyncio.sleep(0.2)

    engine.register_handler("trade", slow)
    engine.register_handler("trade", slow_too)
    engine.register_handler("trade", lambda _: time.sleep(0.2), threaded=True)
    started = time.monotonic()
    async with running(engine):
        await engine.emit_event(trade())
    assert 0.2 <= time.monotonic() - started < 0.4
    assert engine.processing_stats["events_processed"] == 1


async def test_a_slow_handler_delays_nobody_else() -> None:
    """Others get their events while it hangs."""
    engine = EventEngine()
    gate, seen = asyncio.Event(), []

    async def hanging(_: Any) -> None:
        await gate.wait()

    async def quick(event: Any) -> None:
        seen.append(event)

    engine.register_handler("trade", hanging)
    engine.register_handler("trade", quick)
    async with running(engine):
        for number in range(50):
            await engine.emit_event(trade(number))
        await asyncio.sleep(0.02)
        assert [event.trade_seq for event in seen] == list(range(50))
        gate.set()


async def test_a_failing_handler_stops_no_other_and_is_reported_once_per_burst(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each exception is counted by handler; one line tells of a hundred."""
    engine = EventEngine()
    seen: list[Any] = []

    def broken(_: Any) -> None:
        raise ValueError("no such price")

    async def broken_later(_: Any) -> None:
        raise KeyError("BTC")

    async def later(event: Any) -> None:
        seen.append(event)

    for handler in (broken, broken_later, seen.append, later):
        engine.register_handler("trade", handler)
    with caplog.at_level(logging.ERROR):
        async with running(engine):
            for number in range(100):
                await engine.emit_event(trade(number))
    assert len(seen) == 200
    errors = engine.processing_stats["errors"]
    assert sorted(errors.values()) == [100, 100]
    assert [r.getMessage().split(": ", 1)[1] for r in caplog.records] == [
        "ValueError: no such price",
        "KeyError: 'BTC'",
    ]


async def test_a_full_lane_holds_the_emitter_back_and_loses_nothing() -> None:
    """`block`: `emit_event` waits, `emit_nowait` says no, and all arrive in order."""
    engine = EventEngine(capacity=3)
    seen: list[int] = []

    async def slow(event: Any) -> None:
        await asyncio.sleep(0.001)
        seen.append(event.trade_seq)

    engine.register_handler("trade", slow)
    for number in range(3):
        assert engine.emit_nowait(trade(number))
    assert not engine.emit_nowait(trade(3))
    async with running(engine):
        for number in range(3, 40):
            await engine.emit_event(trade(number))
            assert engine.processing_stats["waiting"] <= 3
    assert seen == list(range(40))


async def test_every_drop_is_counted_by_type() -> None:
    """Policies come from the constructor; what was lost and what was merged is told apart."""
    engine = EventEngine(2, {"trade": "drop_newest", "system": "drop_oldest"})
    for name in ("trade", "price_update", "order_book", "system"):
        engine.register_handler(name, lambda _: None)
    for number in range(5):
        for event in (trade(number), told(), quote(str(number)), book(number, number + 1)):
            assert engine.emit_nowait(event)
    stats = engine.processing_stats
    assert stats["dropped"] == {"trade": 3, "system": 3}
    assert stats["conflated"] == {"price_update": 2, "order_book": 2}
    async with running(engine):
        pass
    assert engine.processing_stats["events_processed"] == 2 + 2 + 3 + 3


async def test_what_a_handler_emits_comes_after_the_event_it_has() -> None:
    """Also where another handler of that event has not run yet."""
    engine = EventEngine()
    seen: list[str] = []

    def answer(event: Any) -> None:
        seen.append(f"answer {event.trade_seq}")
        engine.emit_nowait(alert())

    engine.register_handler("trade", answer)
    engine.register_handler("trade", lambda event: seen.append(f"second {event.trade_seq}"))
    engine.register_handler("alert", lambda _: seen.append("alert"))
    async with running(engine):
        for number in (1, 2, 3):
            engine.emit_nowait(trade(number))
    expected = [[f"answer {n}", f"second {n}", "alert"] for n in (1, 2, 3)]
    assert seen == [line for lines in expected for line in lines]


async def test_stop_drains_with_what_handlers_still_emit_and_refuses_others() -> None:
    """It is noticed at once; afterwards an emitter is told."""
    engine = EventEngine()
    seen: list[Any] = []

    async def chain(event: Any) -> None:
        await asyncio.sleep(0.005)
        await engine.emit_event(alert())

    engine.register_handler("trade", chain)
    engine.register_handler("alert", seen.append)
    task = asyncio.create_task(engine.process_events())
    for number in range(10):
        await engine.emit_event(trade(number))
    await asyncio.sleep(0)
    started = time.monotonic()
    engine.stop()
    with pytest.raises(EngineStopped, match="stopped"):
        await engine.emit_event(trade(99))
    await task
    assert time.monotonic() - started < 1.0
    assert len(seen) == 10
    assert engine.processing_stats["waiting"] == 0


async def test_an_idle_engine_stops_at_once() -> None:
    """Without events there is nothing to wait for."""
    engine = EventEngine()
    engine.register_handler("trade", lambda _: None)
    started = time.monotonic()
    async with running(engine):
        pass
    assert time.monotonic() - started < 0.5


async def test_latencies_tell_of_the_wait_in_the_lane() -> None:
    """From emission to the end of the last handler; quantiles in order."""
    engine = EventEngine()

    async def slow(_: Any) -> None:
        await asyncio.sleep(0.02)

    engine.register_handler("trade", slow)
    async with running(engine):
        for number in range(5):
            await engine.emit_event(trade(number))
    stats = engine.processing_stats
    assert stats["events_processed"] == 5
    assert stats["max_latency_ms"] >= 5 * 20
    assert 20 <= stats["p50_latency_ms"] <= stats["p95_latency_ms"] <= stats["p99_latency_ms"]
    assert stats["avg_latency_ms"] == pytest.approx(60, rel=0.5)


async def test_plain_handlers_are_timed_by_sample() -> None:
    """The hot path reads the clock for every 32nd event."""
    engine = EventEngine()
    engine.register_handler("trade", lambda _: time.sleep(0.001))
    async with running(engine):
        for number in range(100):
            engine.emit_nowait(trade(number))
    stats = engine.processing_stats
    assert stats["events_processed"] == 100
    assert stats["max_latency_ms"] >= 1


async def test_an_event_without_handler_is_counted() -> None:
    """It is no error: whoever emits need not know who listens."""
    engine = EventEngine()
    assert engine.emit_nowait(trade())
    assert engine.processing_stats["unhandled"] == 1


async def test_what_is_no_event_is_refused_with_the_remedy() -> None:
    """The text says what to do."""
    with pytest.raises(TypeError, match="wrap it in an EngineEvent"):
        EventEngine().emit_nowait({"event_type": "trade"})


@pytest.mark.parametrize(
    ("policies", "text"),
    [({"trade": "conflate"}, "policy of trade"), ({"trade": "maybe"}, "no 'maybe'")],
)
def test_policies_that_cannot_be_are_refused(policies: dict[str, Any], text: str) -> None:
    """Trades are never conflated."""
    with pytest.raises(ConfigurationError, match=text):
        EventEngine(policies=policies)
