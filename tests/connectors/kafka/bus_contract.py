"""What every transport of the event bus must do. Each test module brings the fixture ``buses``."""

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from connectors.kafka.bus import Event, EventBus, EventType, Retry
from connectors.kafka.bus_transport import Transport

QUICK = Retry(3, 0.05, 0.1)
SIGNAL = EventType.TRADING_SIGNAL


class Buses(NamedTuple):
    """Opens buses that hear each other; all are stopped at the end."""

    open: Callable[..., EventBus]
    transport: Callable[[], Transport]
    dead_letters: Callable[[], list[tuple[bytes, dict[str, str]]]]
    """Values and headers of all dead letters."""


def wait(condition: Callable[[], object], what: str = "", seconds: float = 15.0) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or condition}"
        time.sleep(0.01)


def signal(bus: EventBus, number: int, symbol: str = "BTC-USDT") -> Event:
    """A numbered event."""
    return bus.create_event(SIGNAL, "test", {"symbol": symbol, "n": number})


def numbers(events: list[Event]) -> list[int]:
    """Their numbers."""
    return [event.data["n"] for event in events]


class BusContract:
    """One behaviour a test."""

    def test_an_event_arrives_with_all_it_carries(self, buses: Buses) -> None:
        """Also with many subscribers: each gets it once; events of other types do not come."""
        bus = buses.open()
        seen: list[list[Event]] = [[] for _ in range(10)]
        for own in seen:
            bus.subscribe(SIGNAL, own.append)
        bus.start()
        event = bus.create_event(SIGNAL, "test", {"symbol": "BTC-USDT", "price": "1.50"})
        bus.publish(bus.create_event(EventType.ORDER_PLACED, "test"))
        bus.publish(event).result(10)
        wait(lambda: all(seen))
        assert seen == [[event]] * 10
        wait(lambda: bus.get_stats()["processed"] == 10)
        stats = bus.get_stats()
        assert (stats["published"], stats["received"], stats["failed"]) == (2, 1, 0)

    def test_after_unsubscribe_nothing_comes(self, buses: Buses) -> None:
        """Others go on; taking away what is not there is told."""
        bus = buses.open()
        gone: list[Event] = []
        stays: list[Event] = []
        bus.start()
        bus.subscribe(SIGNAL, gone.append)
        bus.subscribe(SIGNAL, stays.append)
        bus.publish(signal(bus, 1))
        wait(lambda: gone and stays)
        assert bus.unsubscribe(SIGNAL, gone.append)
        assert not bus.unsubscribe(SIGNAL, gone.append)
        bus.publish(signal(bus, 2))
        wait(lambda: len(stays) == 2)
        assert numbers(gone) == [1]

    def test_a_key_keeps_its_order_while_keys_run_in_parallel(self, buses: Buses) -> None:
        """Eight keys of eight slow events take the time of one key, in order."""
        bus = buses.open(max_workers=8)
        seen: dict[str, list[int]] = defaultdict(list)
        at_once: list[int] = []
        running, lock = [0], threading.Lock()

        def slow(event: Event) -> None:
            with lock:
                running[0] += 1
                at_once.append(running[0])
            time.sleep(0.03)
            with lock:
                running[0] -= 1
                seen[event.data["symbol"]].append(event.data["n"])

        bus.subscribe(SIGNAL, slow)
        bus.start()
        for number in range(8):
            for key in range(8):
                bus.publish(signal(bus, number, f"K{key}-USD"))
        wait(lambda: sum(map(len, seen.values())) == 64)
        assert list(seen.values()) == [list(range(8))] * 8
        assert max(at_once) >= 4

    def test_a_failing_handler_is_tried_again_and_then_the_event_is_kept(
        self, buses: Buses
    ) -> None:
        """Three attempts with growing waits; other handlers, keys and events are not held up."""
        bus = buses.open(retry=QUICK)
        tries: list[float] = []
        fine: list[Event] = []

        def broken(event: Event) -> None:
            if event.data["n"] == 1:
                tries.append(time.monotonic())
                raise ValueError("no such symbol")

        bus.subscribe(SIGNAL, broken)
        bus.subscribe(SIGNAL, fine.append)
        bus.start()
        for number in (1, 2, 3):
            bus.publish(signal(bus, number))
        wait(lambda: bus.get_stats()["failed"] == 1 and bus.get_stats()["processed"] == 5)
        assert numbers(fine) == [1, 2, 3]
        assert len(tries) == 3
        assert tries[1] - tries[0] >= 0.05
        assert tries[2] - tries[1] >= 0.1
        wait(buses.dead_letters)
        ((value, headers),) = buses.dead_letters()
        assert b'"n":1' in value
        assert (headers["reason"], headers["attempts"]) == ("handler", "3")
        assert headers["detail"] == "ValueError: no such symbol"
        assert "broken" in headers["handler"]
        assert headers["topic"] == "bus.events"

    def test_a_handler_that_recovers_loses_nothing(self, buses: Buses) -> None:
        """The order of the key is kept over the retries."""
        bus = buses.open(retry=QUICK)
        seen: list[int] = []
        failures = [2]

        def flaky(event: Event) -> None:
            if event.data["n"] == 1 and failures[0]:
                failures[0] -= 1
                raise ConnectionError("later")
            seen.append(event.data["n"])

        bus.subscribe(SIGNAL, flaky)
        bus.start()
        for number in range(4):
            bus.publish(signal(bus, number))
        wait(lambda: len(seen) == 4)
        assert seen == [0, 1, 2, 3]
        assert bus.get_stats()["failed"] == 0
        assert buses.dead_letters() == []

    def test_members_of_a_group_share_events_and_other_groups_get_all(self, buses: Buses) -> None:
        """Each event once in the group; broadcast subscriptions get everything."""
        shared: list[list[int]] = [[], []]
        everywhere: list[int] = []
        alone: list[int] = []
        members = [buses.open(group="g") for _ in shared]
        for bus, own in zip(members, shared, strict=True):
            bus.subscribe(SIGNAL, lambda event, own=own: own.append(event.data["n"]))
            bus.start()
        members[0].subscribe(SIGNAL, lambda e: everywhere.append(e.data["n"]), broadcast=True)
        other = buses.open(group="h")
        other.subscribe(SIGNAL, lambda event: alone.append(event.data["n"]))
        other.start()
        _let_settle(members, other, shared, alone, everywhere)
        for number in range(60):
            other.publish(signal(other, number, f"K{number % 30}-USD"))
        wait(lambda: len(alone) == len(everywhere) == 60 and sum(map(len, shared)) >= 60)
        assert sorted(alone) == sorted(everywhere) == list(range(60))
        assert sorted(shared[0] + shared[1]) == list(range(60))
        assert all(shared)

    def test_a_group_goes_on_where_it_was(self, buses: Buses) -> None:
        """What was published while no member ran is handled by the next one, nothing twice."""
        first = buses.open(group="g")
        seen: list[int] = []
        first.subscribe(SIGNAL, lambda event: seen.append(event.data["n"]))
        first.start()
        for number in range(5):
            first.publish(signal(first, number)).result(10)
        wait(lambda: len(seen) == 5)
        first.stop()
        other = buses.open()
        for number in range(5, 9):
            other.publish(signal(other, number)).result(10)
        second = buses.open(group="g")
        second.subscribe(SIGNAL, lambda event: seen.append(event.data["n"]))
        second.start()
        wait(lambda: len(seen) >= 9)
        time.sleep(0.2)
        assert seen == list(range(9))

    def test_nothing_is_committed_beyond_an_unfinished_event(self, buses: Buses) -> None:
        """A stop in the middle of an event brings it, and what follows it, again, in order.

        What was done may come again too, where its commit was under way: at least once.
        """
        first = buses.open(group="g", max_workers=4)
        gate = threading.Event()
        done: list[int] = []

        def stuck(event: Event) -> None:
            if event.data["n"] == 2:
                gate.wait(20)
            done.append(event.data["n"])

        first.subscribe(SIGNAL, stuck)
        first.start()
        for number in range(6):
            # The same key, so the same partition: 3, 4, 5 wait behind 2.
            first.publish(signal(first, number))
        wait(lambda: done == [0, 1])
        time.sleep(0.3)
        first.stop(timeout=0.1)
        second = buses.open(group="g")
        again: list[int] = []
        second.subscribe(SIGNAL, lambda event: again.append(event.data["n"]))
        second.start()
        wait(lambda: again[-1:] == [5])
        gate.set()
        assert again == list(range(again[0], 6))
        assert again[0] <= 2

    def test_slow_handlers_pause_the_reading(self, buses: Buses) -> None:
        """Few events are taken while the handler hangs; later all arrive."""
        bus = buses.open(max_pending=10)
        gate = threading.Event()
        seen: list[int] = []

        def slow(event: Event) -> None:
            gate.wait(20)
            seen.append(event.data["n"])

        bus.subscribe(SIGNAL, slow)
        bus.start()
        for number in range(3000):
            bus.publish(signal(bus, number))
        wait(lambda: bus.get_stats()["paused_partitions"] == 1)
        time.sleep(0.3)
        taken = bus.get_stats()["received"]
        assert 10 <= taken <= 2000
        assert bus.get_stats()["received"] == taken
        gate.set()
        wait(lambda: len(seen) == 3000)
        assert seen == list(range(3000))
        wait(lambda: bus.get_stats()["paused_partitions"] == 0)

    def test_large_data_travel_by_reference(self, buses: Buses) -> None:
        """They are fetched when they are looked at, and equal what was sent."""
        bus = buses.open(max_inline=10_000)
        seen: list[Event] = []
        bus.subscribe(SIGNAL, seen.append)
        bus.start()
        data = {"symbol": "BTC-USDT", "levels": [[str(n), "1.5"] for n in range(20_000)]}
        bus.publish(bus.create_event(SIGNAL, "test", data)).result(10)
        wait(lambda: seen)
        stored: Any = seen[0].data
        assert not stored.fetched
        assert seen[0].key == "BTC-USDT"
        assert dict(stored) == data

    def test_a_record_that_is_no_event_is_kept_and_harms_nothing(self, buses: Buses) -> None:
        """It goes to the dead letters with its reason."""
        bus = buses.open(group="g")
        seen: list[Event] = []
        bus.subscribe(SIGNAL, seen.append)
        bus.start()
        for value in (b"\xff not json", b'{"event_type": "no_such_type"}'):
            buses.transport().send("bus.events", b"BTC-USDT", value, []).result(10)
        bus.publish(signal(bus, 1))
        wait(lambda: seen and len(buses.dead_letters()) == 2)
        values = {value for value, _ in buses.dead_letters()}
        assert b"\xff not json" in values
        assert {headers["reason"] for _, headers in buses.dead_letters()} == {"malformed"}
        assert bus.get_stats()["malformed"] == 2

    def test_heartbeats_come_until_the_end(self, buses: Buses) -> None:
        """The first at once, the next after the interval, none after the stop."""
        bus, listener = buses.open(), buses.open()
        seen: list[Event] = []
        listener.subscribe(EventType.HEARTBEAT, seen.append)
        listener.start()
        bus.start()
        bus.broadcast_heartbeat("collector", interval=0.1, data=lambda: {"feeds": 2})
        wait(lambda: len(seen) >= 3)
        bus.stop()
        time.sleep(0.2)
        count = len(seen)
        time.sleep(0.3)
        assert len(seen) == count
        assert seen[0].source == "collector"
        assert dict(seen[0].data) == {"status": "alive", "interval": 0.1, "feeds": 2}

    def test_collector_strategy_and_order_engine_form_one_chain(self, buses: Buses) -> None:
        """Three components, three groups, two hops: one correlation id, values handed on."""
        collector = buses.open(group="collector")
        strategy, orders = buses.open(group="strategy"), buses.open(group="orders")
        audit = buses.open()
        told: list[Event] = []

        def decide(event: Event) -> None:
            quote = {"symbol": event.data["symbol"], "price": event.data["price"]}
            signal = {**quote, "action": "buy", "quantity": "0.1"}
            strategy.publish(strategy.create_event(SIGNAL, "strategy", signal))

        async def place(event: Event) -> None:
            order = {"order_id": uuid.uuid4().hex, **event.data}
            orders.publish(orders.create_event(EventType.ORDER_PLACED, "orders", order))

        strategy.subscribe(EventType.MARKET_DATA_RECEIVED, decide)
        orders.subscribe(SIGNAL, place)
        for kind in (EventType.MARKET_DATA_RECEIVED, SIGNAL, EventType.ORDER_PLACED):
            audit.subscribe(kind, told.append)
        for bus in (audit, orders, strategy, collector):
            bus.start()
        tick = {"symbol": "BTC-USDT", "price": "68000.10", "timestamp": 1_700_000_000_000_000}
        first = collector.create_event(EventType.MARKET_DATA_RECEIVED, "collector", tick)
        collector.publish(first)
        wait(lambda: len(told) == 3)
        assert [event.source for event in told] == ["collector", "strategy", "orders"]
        assert {event.correlation_id for event in told} == {first.correlation_id}
        order = told[-1].data
        assert set(order) == {"order_id", "symbol", "action", "price", "quantity"}
        assert (order["price"], order["action"]) == ("68000.10", "buy")

    def test_many_threads_may_publish(self, buses: Buses) -> None:
        """Nothing is lost or doubled; the statistics agree."""
        bus = buses.open()
        seen: list[int] = []
        bus.subscribe(SIGNAL, lambda event: seen.append(event.data["n"]))
        bus.start()

        def many(start: int) -> None:
            for number in range(start, start + 100):
                bus.publish(signal(bus, number, f"K{number % 7}-USD"))

        threads = [threading.Thread(target=many, args=(n * 100,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait(lambda: len(seen) == 800)
        assert sorted(seen) == list(range(800))
        wait(lambda: bus.get_stats()["processed"] == 800)
        stats = bus.get_stats()
        assert (stats["published"], stats["received"], stats["processed"]) == (800, 800, 800)


def _let_settle(
    members: list[EventBus],
    other: EventBus,
    shared: list[list[int]],
    alone: list[int],
    everywhere: list[int],
) -> None:
    """Wait until both members have partitions: send events until each got some; forget those."""
    sent = 0
    deadline = time.monotonic() + 15
    while not all(shared):
        assert time.monotonic() < deadline, "the members do not share"
        for key in range(30):
            other.publish(signal(other, -1, f"K{key}-USD")).result(10)
        sent += 30
        time.sleep(0.2)
    wait(lambda: len(alone) >= sent and len(everywhere) >= sent)
    wait(lambda: all(bus.wait_idle(1) for bus in [*members, other]))
    time.sleep(0.3)
    for seen in (*shared, alone, everywhere):
        seen.clear()
