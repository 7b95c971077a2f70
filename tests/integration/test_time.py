"""Event time: who moves it, whom it may delay, and what comes behind it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from tests.integration.conftest import RunningStack
from tests.integration.market import Market, query, running_market, wait_until

pytestmark = pytest.mark.integration

LATE_IN_A_MINUTE = "2026-03-02T10:00:50Z"
"""A start from which the first minute ends ten seconds later."""


def bars_of(market: Market, exchange: str) -> int:
    """How many one-minute bars of a venue are in PostgreSQL."""
    statement = f"SELECT count(*) FROM {market.name}.bars_1m WHERE exchange = '{exchange}'"
    ((count,),) = query(market.stack, statement)
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("speed", [1, 200])
def test_the_window_of_a_market_gone_silent_closes_on_time(stack: RunningStack, speed: int) -> None:
    """One symbol trades a little, then never again: heartbeats close its minute."""
    with running_market(
        stack,
        f"silent{speed}",
        {"--start": LATE_IN_A_MINUTE, "--speed": speed, "--trades": 8},
        symbols=1,
        rate=4,
        venues=("binance",),
        REPLAY_SPEED=str(speed),
    ) as market:
        market.submit("bars")
        market.wait_finished()
        wait_until(lambda: bars_of(market, "binance") > 0, 30, "a bar of the silent market")


def test_a_venue_whose_clock_is_ahead_makes_no_other_venue_s_row_late(
    stack: RunningStack,
) -> None:
    """Thirty seconds ahead, both venues' windows are whole and nothing is told as late."""
    with running_market(
        stack,
        "skewed",
        {"--speed": 20, "--trades": 4000, "--skew": "coinbase=30"},
        symbols=4,
        delay_seconds=10,
        REPLAY_SPEED="20",
    ) as market:
        market.submit("bars")
        market.wait_finished()
        market.stop_feeds()
        results = [result for result in market.compare() if result.model == "bars_1m"]
        assert market.late_pairs() == []
    assert all(result.rows and not result.differences for result in results), results


def test_a_venue_replayed_faster_makes_no_other_venue_s_row_late(stack: RunningStack) -> None:
    """One venue runs 200 times faster through the same hours: the slow one loses nothing."""
    start: dict[str, object] = {"--start": LATE_IN_A_MINUTE}
    slow = running_market(
        stack, "replayed", {**start, "--speed": 2}, symbols=3, venues=("coinbase",)
    )
    fast = running_market(
        stack, "replayed", {**start, "--speed": 200}, symbols=3, rate=5, venues=("binance",)
    )
    with slow as coinbase, fast as binance:
        binance.submit("bars")
        wait_until(lambda: bars_of(binance, "coinbase") > 0, 90, "a bar of the slow venue")
        for market in (binance, coinbase):
            market.stop_feeds()
        results = binance.compare(also=(coinbase.exchange.ledger,))
        assert binance.late_pairs() == []
    bars = [result for result in results if result.model == "bars_1m"]
    assert all(result.rows and not result.differences for result in bars), bars


class Cable:
    """A TCP connection to the exchange that can be unplugged."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.plugged = True
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.plugged:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self.ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            hang_up(end)

    def unplug(self) -> None:
        """Cut every connection and refuse new ones."""
        self.plugged = False
        while self.ends:
            hang_up(self.ends.pop())

    def plug(self) -> None:
        """Let connections through again."""
        self.plugged = True


def hang_up(end: socket.socket) -> None:
    """Shut a socket down so that a thread that reads from it wakes up."""
    with closing(end), suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cable(target: int) -> Iterator[Cable]:
    """A cable that is removed at the end."""
    made = Cable(target)
    try:
        yield made
    finally:
        made.unplug()
        made.listener.close()


def test_a_venue_that_is_down_stops_no_other_and_its_refill_is_told_as_late(
    stack: RunningStack,
) -> None:
    """After the idle timeout the other venue's windows go on; the refilled rows are told late."""
    with running_market(
        stack,
        "outage",
        {"--speed": 10},
        symbols=3,
        rate=10,
        REPLAY_SPEED="10",
        BACKOFF_CAP="1",
    ) as market:
        coinbase = market.connectors[1]
        with cable(market.exchange.demo.coinbase_port) as wire:
            coinbase.stop()
            coinbase.environment["COINBASE_WS_URL"] = f"ws://127.0.0.1:{wire.port}"
            coinbase.start()
            market.flink("submit", "bars", "--set", "IDLE_TIMEOUT=3 s")
            market.jobs.append("bars")
            wait_until(lambda: bars_of(market, "coinbase") > 0, 60, "bars of both venues")
            wire.unplug()
            before = bars_of(market, "binance")
            wait_until(lambda: bars_of(market, "binance") >= before + 9, 60, "windows go on")
            assert market.late_pairs() == []
            wire.plug()
            wait_until(lambda: bool(market.late_pairs()), 60, "refilled rows told as late")
        assert {pair["exchange"] for pair in market.late_pairs()} == {"coinbase"}
