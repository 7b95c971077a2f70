"""Coinbase Advanced Trade's protocol, seen by a real client."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.simulator.venue import Limits
from tests.connectors.simulator.harness import exchange, sent_ids, until

FAST: dict[str, Any] = {"rate": 200.0, "speed": 20.0}
OLD: dict[str, Any] = {**FAST, "warm_up_seconds": 10.0}


async def test_snapshot_of_old_trades_comes_before_the_acknowledgement(tmp_path: Path) -> None:
    """The last 100 trades, newest first, then the ack, then updates; the ledger says snapshot."""
    async with exchange(tmp_path / "ledger", **OLD) as here:
        client = await here.coinbase("market_trades", "BTC-USD", "ETH-USD")
        kinds = [one["events"][0].get("type", "ack") for one in client.frames[:3]]
        assert kinds == ["snapshot", "snapshot", "ack"]
        trades = client.frames[0]["events"][0]["trades"]
        ids = [int(one["trade_id"]) for one in trades]
        assert len(ids) == 100 and ids == list(range(ids[0], ids[0] - 100, -1))
        assert set(trades[0]) == {"product_id", "trade_id", "price", "size", "time", "side"}
        subscribed = client.frames[2]["events"][0]["subscriptions"]
        assert subscribed == {"market_trades": ["BTC-USD", "ETH-USD"]}
        await until(lambda: len(client.coinbase_trades()) > 50, "updates")
        in_ledger = sent_ids(here.ledger(), "coinbase", "snapshot")
        assert in_ledger[:100] == ids


async def test_updates_continue_the_snapshot() -> None:
    """The trade after the newest of the snapshot is the first update: nothing falls between."""
    async with exchange(**OLD) as here:
        client = await here.coinbase("market_trades", "BTC-USD")
        await until(lambda: len(client.coinbase_trades()) > 50, "updates")
        ids = [int(t["trade_id"]) for t in client.coinbase_trades(("snapshot", "update"))]
        assert set(ids) == set(range(min(ids), max(ids) + 1))


async def test_side_is_the_makers(tmp_path: Path) -> None:
    """The ledger tells the aggressor, the wire the other one."""
    async with exchange(tmp_path / "ledger", **OLD) as here:
        client = await here.coinbase("market_trades", "BTC-USD")
        aggressors = {
            line["trade_id"]: line["side"]
            for line in here.ledger()
            if line["t"] == "trade" and line["symbol"] == "BTC-USD"
        }
        trades = client.frames[0]["events"][0]["trades"]
        assert {one["side"] for one in trades} == {"BUY", "SELL"}
        for one in trades:
            assert aggressors[one["trade_id"]] == ("buy" if one["side"] == "SELL" else "sell")


def of_channel(channel: str, frame: dict[str, Any]) -> bool:
    """Whether a frame is of a channel."""
    return bool(frame["channel"] == channel)


async def test_sequence_counts_all_frames_of_a_connection() -> None:
    """From 0, by one, over all channels; a second connection counts for itself."""
    async with exchange(**OLD) as here:
        clients = [await here.coinbase("market_trades", "BTC-USD") for _ in range(2)]
        for channel in ("ticker", "level2", "heartbeats"):
            message = {"type": "subscribe", "channel": channel, "product_ids": ["BTC-USD"]}
            await clients[0].send(message)
        for channel in ("market_trades", "ticker", "l2_data", "heartbeats"):
            await clients[0].wait(partial(of_channel, channel), channel)
        await until(lambda: len(clients[1].frames) > 20, "frames")
        for client in clients:
            numbers = [one["sequence_num"] for one in client.frames]
            assert numbers == list(range(len(numbers)))


async def test_book_follows_its_updates() -> None:
    """Snapshot and updates end in the market's own book; it never crosses."""
    async with exchange(trades=8000, waiting_for={"coinbase": 1}, **{**OLD, "speed": 20.0}) as here:
        client = await here.coinbase("market_trades", "BTC-USD")
        await client.send({"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"]})
        await here.finished()
        book: dict[str, dict[str, str]] = {"bid": {}, "offer": {}}
        events = [e for f in client.frames if f["channel"] == "l2_data" for e in f["events"]]
        assert [one["type"] for one in events].count("snapshot") == 1
        assert events[0]["type"] == "snapshot" and len(events) > 20
        for event in events:
            for one in event["updates"]:
                if one["new_quantity"] == "0":
                    book[one["side"]].pop(one["price_level"], None)
                else:
                    book[one["side"]][one["price_level"]] = one["new_quantity"]
            assert max(map(float, book["bid"])) < min(map(float, book["offer"]))
        market = here.engine.venues["coinbase"].market  # type: ignore[attr-defined]
        bids, asks = market.by_native["BTC-USD"].book()
        assert {round(float(p) * 1e8) for p in book["bid"]} == set(bids)
        assert {round(float(p) * 1e8) for p in book["offer"]} == set(asks)


async def test_ticker_tells_best_prices() -> None:
    """A snapshot on subscribe, then updates, never crossed."""
    async with exchange(**OLD) as here:
        client = await here.coinbase("ticker", "BTC-USD")
        await until(lambda: len(client.frames) > 20, "updates")
        tickers = [
            (event["type"], ticker)
            for frame in client.frames
            if frame["channel"] == "ticker"
            for event in frame["events"]
            for ticker in event["tickers"]
        ]
        assert tickers[0][0] == "snapshot" and tickers[1][0] == "update"
        for _, ticker in tickers:
            assert float(ticker["best_bid"]) < float(ticker["best_ask"])


async def test_heartbeats_come_each_second() -> None:
    """The counter rises by one; they need no product."""
    async with exchange() as here:
        client = await here.connect("coinbase")
        await client.send({"type": "subscribe", "channel": "heartbeats"})
        await until(
            lambda: sum(one["channel"] == "heartbeats" for one in client.frames) >= 2, "heartbeats"
        )
        beats = [one["events"][0] for one in client.frames if one["channel"] == "heartbeats"]
        assert beats[1]["heartbeat_counter"] == beats[0]["heartbeat_counter"] + 1


async def test_unsubscribe_ends_a_channel() -> None:
    """The acknowledgement lists what is left, and no more trades come."""
    async with exchange(**OLD) as here:
        client = await here.coinbase("market_trades", "BTC-USD")
        message = {"type": "unsubscribe", "channel": "market_trades", "product_ids": ["BTC-USD"]}
        await client.send(message)
        acks: list[object] = [{"subscriptions": {}}]
        await client.wait(lambda one: one["events"] == acks, "acknowledgement")
        count, now = len(client.frames), here.engine.clock.now_us
        await until(lambda: here.engine.clock.now_us > now + 2_000_000, "two seconds pass")
        assert len(client.frames) == count


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        {"type": "hello"},
        {"type": "subscribe", "channel": "matches", "product_ids": ["BTC-USD"]},
        {"type": "subscribe", "channel": "market_trades", "product_ids": ["NO-SUCH"]},
        {"type": "subscribe", "channel": "market_trades", "product_ids": "BTC-USD"},
        {"type": "subscribe", "channel": "market_trades"},
    ],
)
async def test_bad_requests_get_error_frames(message: object) -> None:
    """Type error with a text; no acknowledgement."""
    async with exchange() as here:
        client = await here.connect("coinbase")
        await client.send(message)
        error = await client.wait(lambda one: one.get("type") == "error", "error frame")
        assert error["message"]
        assert len(client.frames) == 1


async def test_clients_must_subscribe_soon() -> None:
    """A connection without a subscription is closed."""
    async with exchange(limits=Limits(subscribe_within=0.3)) as here:
        client = await here.connect("coinbase")
        end = await client.closed()
        assert end.rcvd is not None and end.rcvd.code == 1008
