"""The simulated user data stream, with the real request and the real parser against it."""

import time

import pytest

from connectors.events import PositionUpdate
from connectors.exchanges.binance_private import PATH, PrivateParser, subscribe_frame
from connectors.simulator.binance_private import API_KEY, API_SECRET
from tests.connectors.simulator.harness import exchange

EVENT = {
    "e": "outboundAccountPosition",
    "u": 1_780_000_000_000,
    "B": [{"a": "BTC", "f": "1.5", "l": "0.5"}],
}


@pytest.mark.parametrize(
    ("key", "secret", "ago_ms", "code"),
    [
        ("wrong", API_SECRET, 0, -2014),
        (API_KEY, "wrong", 0, -1022),
        (API_KEY, API_SECRET, 60_000, -1021),
    ],
)
async def test_wrong_requests_are_refused(key: str, secret: str, ago_ms: int, code: int) -> None:
    """With Binance's code; and nothing is sent to who was refused."""
    async with exchange(ports={"binance": 0}) as here:
        client = await here.connect("binance", PATH)
        now = time.time_ns() // 1_000_000 - ago_ms
        await client.send(subscribe_frame(key, secret, now).decode())
        answer = await client.wait(lambda one: "error" in one, "refusal")
        assert answer["error"]["code"] == code
        body = {"exchange": "binance", "event": EVENT}
        assert await here.control("POST", "/private", body) == (200, {"receivers": 0})


async def test_commanded_events_reach_subscribers_only() -> None:
    """The signed request is taken; the parser reads what control ordered."""
    async with exchange(ports={"binance": 0}) as here:
        client = await here.connect("binance", PATH)
        market = await here.binance("btcusdt@trade")
        request = subscribe_frame(API_KEY, API_SECRET, time.time_ns() // 1_000_000)
        await client.send(request.decode())
        await client.wait(lambda one: one.get("status") == 200, "subscription")
        body = {"exchange": "binance", "event": EVENT}
        assert await here.control("POST", "/private", body) == (200, {"receivers": 1})
        await client.wait(lambda one: "event" in one, "event")
        (item,) = PrivateParser([], "p-1").parse(client.texts[-1].encode(), 1_790_000_000_000_000)
        assert isinstance(item, PositionUpdate) and (item.free, item.locked) == ("1.5", "0.5")
        assert not [one for one in market.frames if "event" in one]
        assert (await here.control("POST", "/private", {"exchange": "kraken", "event": {}}))[
            0
        ] == 400
