"""The proof: what leaves the system equals what the oracle computes from the ledger, exactly."""

from collections import Counter

import pytest

from flink_jobs.oracle import expected
from flink_jobs.oracle.actual import logged_trades
from flink_jobs.oracle.ledger import load
from tests import recordings
from tests.integration.conftest import RunningStack
from tests.integration.market import running_market

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

# The local venues quote in USDT and in USD, so no symbol is on both: nothing to compare.
MODELS = [name for name in expected.MODELS if name != "cross_venue_gap_1m"]

SPEED = 100
"""Simulated seconds per second: 80 minutes of a market pass in less than one."""

FAULTS = (
    {"kind": "disorder", "probability": 0.05, "delay": 2, "seconds": 1_000_000},
    {"kind": "duplicate", "probability": 0.02, "seconds": 1_000_000},
)


def test_every_window_of_a_troubled_market_equals_the_oracle(stack: RunningStack) -> None:
    """200,000 trades on two venues, out of order, doubled, with two disconnects: 0 differences."""
    with running_market(
        stack,
        "proof",
        # Heartbeats run on at this speed when the trades are over: they must not pass the present,
        # beyond which no time is believed, however long results take on a busy machine.
        {"--speed": SPEED, "--trades": 200_000, "--since": "12h"},
        # At this speed the 25 ms of a REST call are 2.5 s of market time.
        delay_seconds=60,
        REPLAY_SPEED=str(SPEED),
    ) as market:
        for fault in FAULTS:
            for venue in ("binance", "coinbase"):
                market.exchange.fault(exchange=venue, **fault)
        market.submit("bars", "market")
        market.exchange.fault(kind="disconnect", exchange="binance")
        market.exchange.fault(kind="disconnect", exchange="coinbase")
        market.wait_finished()
        market.stop_feeds()
        results = market.compare(models=MODELS)
        market.flink("prove", "bars_1m")
        db = load([market.exchange.ledger])
        log = logged_trades(stack.bootstrap, "proof.market.trades")
    assert [str(result) for result in results if result.differences] == []
    assert {result.model: result.rows for result in results}["bars_1m"] > 2000
    assert all(result.rows for result in results), results
    truth = db.execute("SELECT exchange, symbol, trade_seq FROM trades").fetchall()
    assert len(truth) >= 200_000
    assert log == Counter(truth), "every trade is in the log exactly once"
    troubles = "SELECT count(*) FROM ledger WHERE {}"
    for what in ("t = 'fault' AND kind = 'dropped'", "t = 'sent' AND via = 'rest'"):
        (count,) = db.execute(troubles.format(what)).fetchall()
        assert count[0] >= 2, f"the market was not troubled: {what}"


def test_recorded_coinbase_frames_give_the_oracle_s_bars(stack: RunningStack) -> None:
    """Real frames of 2026, played at ten times their speed: every bar equals."""
    path = recordings.require() / "coinbase.jsonl.zst"
    with running_market(
        stack,
        "recorded",
        {"--recording": path, "--speed": 10},
        venues=("coinbase",),
        REPLAY_SPEED="10",
    ) as market:
        market.submit("bars")
        market.wait_finished()
        results = market.compare(timeout=90)
        market.stop_feeds()
    bars = [result for result in results if result.model == "bars_1m"]
    assert [str(result) for result in bars if result.differences] == []
    assert all(result.rows >= 2 for result in bars), bars
