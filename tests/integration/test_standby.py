"""Two processes for one partition: the second takes over from a killed one, nothing twice."""

import asyncio
import os
import sys
import uuid
from pathlib import Path

import pytest

from tests.connectors.feed.running import read_topic
from tests.connectors.simulator.harness import exchange, until
from tests.integration.conftest import RunningStack

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


async def connector(variables: dict[str, str], log: Path) -> asyncio.subprocess.Process:
    """One process that publishes or stands by."""
    words = ["--venue", "binance", "--symbols", "BTC-USDT,ETH-USDT"]
    with log.open("w") as stderr:
        return await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "connectors", "run", *words],
            cwd=ROOT,
            env=variables,
            stderr=stderr,
        )


async def test_a_standby_takes_over_from_a_killed_owner(
    stack: RunningStack, tmp_path: Path
) -> None:
    """kill -9 of the owner: each trade of the ledger is in the log once, from two processes."""
    ports = {"binance": 0}
    async with exchange(tmp_path / "ledger", rate=100.0, symbols=2, ports=ports) as here:
        address = here.addresses["binance"]
        variables = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap,
            "STANDBY_DATABASE_URL": stack.database_url,
            "TOPIC_PREFIX": f"t{uuid.uuid4().hex[:10]}.",
            "MARKET_STREAMS_STATE": str(tmp_path),
            "BINANCE_WS_URL": address["ws"],
            "BINANCE_REST_URL": address["rest"],
            "METRICS_PORT": "-1",
        }
        logs = [tmp_path / f"{number}.log" for number in range(2)]
        first = await connector(variables, logs[0])
        second = None
        try:
            await until(lambda: "live after" in logs[0].read_text(), "the first is live", 40)
            second = await connector(variables, logs[1])
            await until(lambda: "standby: another" in logs[1].read_text(), "the second waits", 40)
            await asyncio.sleep(1)
            assert "live after" not in logs[1].read_text()
            first.kill()
            await first.wait()
            await until(lambda: "live after" in logs[1].read_text(), "the second took over", 30)
            await asyncio.sleep(1)
            here.engine.clock.paused = True
            await asyncio.sleep(0.5)
        finally:
            for process in (first, second):
                if process is not None and process.returncode is None:
                    process.terminate()
        assert second is not None and await asyncio.wait_for(second.wait(), 20) == 0
        made = [
            (line["symbol"], line["trade_seq"]) for line in here.ledger() if line["t"] == "trade"
        ]
    topic = variables["TOPIC_PREFIX"] + "market.trades"
    records = [one.json for one in await asyncio.to_thread(read_topic, stack.bootstrap, topic)]
    trades = [one for one in records if one["event_type"] == "trade"]
    found = [(one["symbol"], one["trade_seq"]) for one in trades]
    assert len(found) == len(set(found)), "published twice"
    begin = {symbol: min(seq for name, seq in found if name == symbol) for symbol, _ in found}
    assert set(found) == {one for one in made if one[1] >= begin[one[0]]}
    assert len({one["source"] for one in trades if "rest" not in one["source"]}) == 2
    statuses = [
        one.json
        for one in await asyncio.to_thread(
            read_topic, stack.bootstrap, variables["TOPIC_PREFIX"] + "market.status"
        )
    ]
    assert not [one for one in statuses if one["kind"] == "gap"]
