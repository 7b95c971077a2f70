"""`python -m connectors` as a process: topics, run, metrics, clean end."""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from connectors.kafka.admin import ensure_topics
from connectors.kafka.topics import TOPICS, Topic
from tests.connectors.feed.running import read_topic, until
from tests.connectors.feed.scripted import ScriptedBinance

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


def environment(
    bootstrap: str, state: Path, exchange: ScriptedBinance | None = None
) -> dict[str, str]:
    """Variables for a process of this test."""
    url = exchange.url if exchange else ""
    return {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "TOPIC_PREFIX": f"t{uuid.uuid4().hex[:10]}.",
        "MARKET_STREAMS_STATE": str(state),
        "BINANCE_WS_URL": f"ws://{url}",
        "BINANCE_REST_URL": f"http://{url}",
        "METRICS_PORT": "0",
    }


def test_topics_are_made_once_grow_and_keep_their_data(bootstrap: str, tmp_path: Path) -> None:
    """The second call changes nothing; more partitions are added, never fewer."""
    variables = environment(bootstrap, tmp_path)
    prefix = variables["TOPIC_PREFIX"]
    command = [sys.executable, "-m", "connectors", "topics"]
    outputs = [
        subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert set(outputs[0].stdout.split()) == {prefix + topic.name for topic in TOPICS}
    assert outputs[1].stdout.strip() == "all topics exist"
    name = f"{prefix}grows"
    assert ensure_topics(bootstrap, prefix, [Topic("grows", 1, {})]) == [name]
    assert ensure_topics(bootstrap, prefix, [Topic("grows", 3, {})]) == [name]
    assert ensure_topics(bootstrap, prefix, [Topic("grows", 2, {})]) == []
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    (described,) = admin.describe_topics([name])
    admin.close()
    assert len(described["partitions"]) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_feed_cleanly_with_everything_flushed(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path, number: signal.Signals
) -> None:
    """What was received is in the log, the end is told, the exit code is 0."""
    variables = environment(bootstrap, tmp_path, exchange) | {"LINGER_MS": "5000"}
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "connectors", "run", "--venue", "binance"],
        *["--symbols", "BTC-USDT,ETH-USDT"],
        cwd=ROOT,
        env=variables,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    address = ""
    while b"live after" not in (line := await asyncio.wait_for(process.stderr.readline(), 30)):
        assert line, "the process ended"
        if b"metrics: " in line:
            address = line.decode().split("metrics: ")[1].strip()
    await exchange.send(*exchange.make("BTCUSDT", range(1, 101)))

    def counted() -> bool:
        with urllib.request.urlopen(address, timeout=5) as answer:
            text = answer.read().decode()
        return 'feed_events_total{channel="trades",venue="binance"} 100.0' in text

    for _ in range(100):
        if await asyncio.to_thread(counted):
            break
        await asyncio.sleep(0.05)
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    records = read_topic(bootstrap, variables["TOPIC_PREFIX"] + "market.trades")
    assert sum(r.json["event_type"] == "trade" for r in records) == 100
    statuses = read_topic(bootstrap, variables["TOPIC_PREFIX"] + "market.status")
    assert statuses[-1].json["cause"] == "the connector ends"


async def test_a_killed_feed_is_continued_without_loss_or_doubles(
    exchange: ScriptedBinance, bootstrap: str, tmp_path: Path
) -> None:
    """kill -9 in mid-stream; the next process finds its place in the log and asks REST."""
    variables = environment(bootstrap, tmp_path, exchange) | {"LINGER_MS": "50"}
    command = [sys.executable, "-m", "connectors", "run", "--venue", "binance"]
    command += ["--symbols", "BTC-USDT"]
    made = 0
    for _ in range(3):
        seen = exchange.connections
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=variables, stderr=asyncio.subprocess.DEVNULL
        )
        await until(lambda seen=seen: exchange.connections > seen and exchange.sockets, 30)
        for _ in range(40):
            await exchange.send(*exchange.make("BTCUSDT", range(made + 1, made + 51)))
            made += 50
            await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        exchange.sockets.clear()
        exchange.make("BTCUSDT", range(made + 1, made + 31))
        made += 30
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=variables, stderr=asyncio.subprocess.DEVNULL
    )
    topic = variables["TOPIC_PREFIX"] + "market.trades"

    def ids() -> list[int]:
        events = [record.json for record in read_topic(bootstrap, topic)]
        return [event["trade_seq"] for event in events if event["event_type"] == "trade"]

    for _ in range(60):
        found = await asyncio.to_thread(ids)
        if len(found) >= made:
            break
        await asyncio.sleep(0.25)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert sorted(await asyncio.to_thread(ids)) == list(range(1, made + 1))
