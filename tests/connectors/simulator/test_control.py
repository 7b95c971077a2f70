"""Control over HTTP."""

import asyncio

import pytest

from tests.connectors.simulator.harness import exchange, until


async def test_state_tells_where_the_run_stands() -> None:
    """Time, speed, finished, and per venue connections, trades and what was sent."""
    async with exchange(rate=200.0, speed=5.0, trades=400) as here:
        await here.binance("btcusdt@trade")
        await here.finished()
        status, state = await here.control("GET", "/state")
        assert status == 200 and state["finished"] is True and state["speed"] == 5.0
        binance = state["venues"]["binance"]
        assert binance["connections"] == binance["subscribers"] == 1
        assert binance["trades"] >= 200 >= binance["sent"] > 0
        assert state["venues"]["coinbase"]["connections"] == 0


async def test_pause_resume_and_speed() -> None:
    """Time stands, goes on, and changes pace."""
    async with exchange(rate=100.0) as here:
        _, paused = await here.control("POST", "/pause")
        assert paused["speed"] == 0.0 and paused["paused"]
        _, later = await here.control("GET", "/state")
        assert later["now_us"] == paused["now_us"]
        await here.control("POST", "/resume")
        await until(lambda: here.engine.clock.now_us > paused["now_us"], "time goes on")
        _, fast = await here.control("POST", "/speed", {"speed": 50})
        assert fast["speed"] == 50.0
        assert (await here.control("POST", "/speed", {"speed": 0}))[0] == 400


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"kind": "earthquake", "exchange": "binance"}, "earthquake"),
        ({"kind": "silence"}, "exchange"),
        ({"kind": "silence", "exchange": "kraken"}, "running: binance, coinbase"),
        ({"kind": "silence", "exchange": "binance", "second": 3}, "second"),
    ],
)
async def test_bad_faults_are_refused(body: object, hint: str) -> None:
    """Status 400 and what is wrong."""
    async with exchange() as here:
        status, answer = await here.control("POST", "/faults", body)
        assert status == 400 and hint in answer["error"]


async def test_stop_ends_the_run() -> None:
    """The engine stops; ports close with the run."""
    async with exchange() as here:
        assert (await here.control("POST", "/stop"))[0] == 200
        assert here.engine.stopping.is_set()


async def test_a_pause_tells_what_has_happened_before_it() -> None:
    """Coinbase's batch of the slice at hand is sent, not kept until time goes on."""
    async with exchange(rate=200.0, symbols=1) as here:
        client = await here.coinbase("market_trades", "BTC-USD")
        history = here.engine.venues["coinbase"].market.symbols[0].history  # type: ignore[attr-defined]
        for _ in range(5):
            await until(lambda: len(client.coinbase_trades()) > 5, "trades")
            await here.control("POST", "/pause")
            last = str(history.next_id - 1)
            await until(lambda: client.coinbase_trades()[-1]["trade_id"] == last, "the last trade")  # noqa: B023
            await here.control("POST", "/resume")
            await asyncio.sleep(0.07)
