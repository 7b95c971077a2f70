"""What was recorded is replayed to a real broker: same events, own times, heartbeats between."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from connectors.exchanges import registry
from connectors.feed.recorder import Recorder
from connectors.settings import load_settings
from tests.connectors.feed.running import Json, read_topic
from tests.connectors.simulator.harness import exchange, sent_ids, until

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


async def recorded(tmp_path: Path) -> tuple[Path, set[int]]:
    """A recording with duplicates, broken frames and a cut; the ids that were soundly sent."""
    async with exchange(tmp_path / "ledger", rate=60.0, speed=2.0, symbols=2) as here:
        address = here.addresses["binance"]
        settings = load_settings(binance_ws_url=address["ws"], binance_rest_url=address["rest"])
        wanted = ["BTC-USDT", "ETH-USDT"], ["trades", "quotes"]
        recorder = Recorder(registry.venue("binance"), *wanted, settings, tmp_path / "out", 10**7)
        stop = asyncio.Event()
        task = asyncio.create_task(recorder.run(stop))
        await until(lambda: recorder.frames > 50, "frames")
        await here.fault("duplicate", "binance", probability=0.3, seconds=2.0)
        await here.fault("malformed", "binance", count=3)
        await until(lambda: here.engine.venues["binance"].faults.quiet, "the end of the faults")
        await here.fault("disconnect", "binance")
        before = recorder.frames
        await until(lambda: recorder.frames > before + 100, "frames after the cut")
        here.engine.clock.paused = True
        await asyncio.sleep(0.3)
        stop.set()
        await task
        return recorder.paths[0], set(sent_ids(here.ledger(), "binance", "ws"))


def replay(path: Path, bootstrap: str, speed: str, tmp_path: Path) -> tuple[Json, list[Json]]:
    """Run the command; gives its counts and what is in the trades topic."""
    prefix = f"t{uuid.uuid4().hex[:10]}."
    variables = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "TOPIC_PREFIX": prefix,
        "MARKET_STREAMS_STATE": str(tmp_path),
    }
    command = [sys.executable, "-m", "connectors", "replay", str(path), "--speed", speed]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    records = read_topic(bootstrap, f"{prefix}market.trades")
    assert all(one.timestamp == one.json["ts_event"] // 1000 for one in records)
    return json.loads(done.stdout), [one.json for one in records]


async def test_a_replay_gives_the_recorded_events_at_any_speed(
    bootstrap: str, tmp_path: Path
) -> None:
    """Each trade once, times as recorded, heartbeats behind them; a cut file gives a prefix."""
    path, sent = await recorded(tmp_path)
    counts, fast = await asyncio.to_thread(replay, path, bootstrap, "max", tmp_path)
    trades = [one for one in fast if one["event_type"] == "trade"]
    ids = [one["trade_seq"] for one in trades]
    assert len(ids) == len(set(ids)) == counts["events"]["trade"]
    assert set(ids) == sent
    assert counts["duplicates"] > 5 and counts["dead_letters"] >= 3
    assert counts["reading"] == {"bad_lines": 0, "unfinished": []}
    beats = [one["ts_event"] for one in fast if one["event_type"] == "heartbeat"]
    assert beats == sorted(beats) and counts["heartbeats"] >= 2 * len(beats) > 0
    _, slow = await asyncio.to_thread(replay, path, bootstrap, "4", tmp_path)
    assert slow == fast
    cut = tmp_path / f"cut-{path.name}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    counts, some = await asyncio.to_thread(replay, cut, bootstrap, "max", tmp_path)
    assert counts["reading"]["unfinished"] == [cut.name]
    assert 0 < len(some) < len(fast) and some == fast[: len(some)]
