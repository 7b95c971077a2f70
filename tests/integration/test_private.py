"""Our own orders and balances from the local exchange to the topics, over a reconnect."""

import asyncio
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from connectors.simulator.binance_private import API_KEY, API_SECRET
from tests.connectors.feed.running import Json, read_topic
from tests.connectors.simulator.harness import Exchange, exchange, until

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
T = 1_780_000_000_000
REPORT: dict[str, Any] = {
    **{"e": "executionReport", "s": "BTCUSDT", "c": "mine", "S": "BUY", "o": "LIMIT", "f": "GTC"},
    **{"q": "1.0", "p": "68000.1", "C": "", "x": "NEW", "X": "NEW", "r": "NONE", "i": 7},
    **{
        "l": "0.0",
        "z": "0.0",
        "L": "0.0",
        "n": "0",
        "N": None,
        "T": T,
        "t": -1,
        "I": 1,
        "Z": "0.0",
    },
}
FILL = {"x": "TRADE", "X": "FILLED", "l": "1.0", "z": "1.0", "L": "68000.1", "t": 5, "I": 2}
ACCOUNT = {"e": "outboundAccountPosition", "u": T, "B": [{"a": "BTC", "f": "1.0", "l": "0.0"}]}


def environment(here: Exchange, bootstrap: str, state: Path, secret: str) -> dict[str, str]:
    """Variables of the process."""
    address = here.addresses["binance"]
    return {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "TOPIC_PREFIX": f"t{uuid.uuid4().hex[:10]}.",
        "MARKET_STREAMS_STATE": str(state),
        "BINANCE_WS_API_URL": address["ws"],
        "BINANCE_REST_URL": address["rest"],
        "BINANCE_API_KEY": API_KEY,
        "BINANCE_API_SECRET": secret,
        "BACKOFF_BASE": "0.05",
    }


async def start(variables: dict[str, str], log: Path) -> asyncio.subprocess.Process:
    """`python -m connectors private`."""
    with log.open("w") as stderr:
        words = ["-m", "connectors", "private", "--symbols", "BTC-USDT"]
        return await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=ROOT, env=variables, stderr=stderr
        )


async def order(here: Exchange, event: dict[str, Any]) -> None:
    """Have the exchange send an event; it must have a receiver."""
    body = {"exchange": "binance", "event": event}
    assert await here.control("POST", "/private", body) == (200, {"receivers": 1})


async def test_orders_and_balances_reach_their_topics(bootstrap: str, tmp_path: Path) -> None:
    """In order, with the venue's times; a cut is told as a gap of orders; no secret in the log."""
    log = tmp_path / "log"
    async with exchange(ports={"binance": 0}, rate=1.0) as here:
        variables = environment(here, bootstrap, tmp_path, API_SECRET)
        process = await start(variables, log)
        try:
            await until(lambda: log.read_text().count(": live") == 1, "live", 40)
            await order(here, REPORT)
            await order(here, ACCOUNT)
            await asyncio.sleep(0.5)  # a cut loses what is not written yet: that is the gap
            await here.fault("disconnect", "binance")
            await until(lambda: log.read_text().count(": live") == 2, "live again", 20)
            await order(here, {**REPORT, **FILL})
            await order(here, {**REPORT, "X": "NO SUCH STATUS"})
            await asyncio.sleep(1.5)
        finally:
            process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0

    def read(name: str) -> list[Json]:
        found = read_topic(bootstrap, variables["TOPIC_PREFIX"] + name)
        return [one.json for one in found if name != "market.dead-letters"]

    orders = [one for one in read("market.orders") if one["event_type"] == "order_status"]
    assert [(one["status"], one["ts_event"]) for one in orders] == [
        ("new", T * 1000),
        ("filled", T * 1000),
    ]
    positions = [one for one in read("market.positions") if one["event_type"] != "heartbeat"]
    assert [(one["event_type"], one["symbol"]) for one in positions] == [("position_update", "BTC")]
    kinds = [one["kind"] for one in read("market.status")]
    assert kinds.count("gap") == 1 and kinds.count("subscribed") == 2
    assert kinds.count("dead_letter") == 1
    assert API_SECRET not in log.read_text() and API_KEY not in log.read_text()


async def test_a_wrong_secret_ends_with_the_variables_names(bootstrap: str, tmp_path: Path) -> None:
    """Exit status 2 and one line; no endless tries that lock the key."""
    log = tmp_path / "log"
    async with exchange(ports={"binance": 0}, rate=1.0) as here:
        process = await start(environment(here, bootstrap, tmp_path, "wrong"), log)
        assert await asyncio.wait_for(process.wait(), 40) == 2
    assert "BINANCE_API_SECRET: -1022" in log.read_text()
