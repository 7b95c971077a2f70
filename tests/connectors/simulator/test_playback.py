"""Recordings behind the venues' protocols: clients get the file's own content."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import zstandard

from connectors.simulator.recording import load_recording, time_us
from tests.connectors.simulator.harness import Exchange, exchange, recordings, sent_ids, until


def frames_of(path: Path) -> list[dict[str, Any]]:
    """The decoded frames of a recording, read independently."""
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [json.loads(line["data"]) for line in lines if line["t"] == "recv"]


def by_product(frames: list[dict[str, Any]]) -> dict[tuple[str, str], list[object]]:
    """The events of each channel and product, in order; candles were not subscribed to."""
    events: dict[tuple[str, str], list[object]] = {}
    for frame in frames:
        if frame["channel"] not in ("subscriptions", "candles"):
            found = re.search(r"'product_id': '([A-Z-]+)'", str(frame["events"])[:2000])
            key = frame["channel"], found[1] if found else ""
            events.setdefault(key, []).append(frame["events"])
    return events


async def played(here: Exchange) -> None:
    """Wait until the recording is over and received."""
    await until(lambda: here.engine.finished, "the end of the recording", 30)
    for client in here.clients:
        await (await client.socket.ping())


async def test_coinbase_recording_is_played_as_it_was(tmp_path: Path) -> None:
    """Trades, books, tickers and heartbeats equal the file's; the ledger has all its trades."""
    path = recordings() / "coinbase.jsonl.zst"
    recorded = frames_of(path)
    async with exchange(tmp_path / "ledger", recordings=(path,), speed=30.0) as here:
        client = await here.connect("coinbase")
        for channel in ("market_trades", "level2", "ticker", "heartbeats"):
            products = ["BTC-USD", "ETH-USD"]
            message = {"type": "subscribe", "channel": channel, "product_ids": products}
            await client.send(message)
        await played(here)
        numbers = [one["sequence_num"] for one in client.frames]
        assert numbers == list(range(len(numbers)))
        # Snapshots come on subscribe, so the order holds within a channel and product.
        assert by_product(client.frames) == by_product(recorded)
        lines = here.ledger()
        trades = {
            (trade["product_id"], int(trade["trade_id"])): trade
            for one in recorded
            for event in one["events"]
            for trade in event.get("trades", ())
        }
        made = {(one["symbol"], one["trade_seq"]): one for one in lines if one["t"] == "trade"}
        assert made.keys() == trades.keys() and len(made) == 257
        for key, trade in trades.items():
            line = made[key]
            assert (line["price"], line["size"]) == (trade["price"], trade["size"])
            assert line["side"] == ("buy" if trade["side"] == "SELL" else "sell")
            assert line["ts_event"] == time_us(trade["time"])
        assert sorted(sent_ids(lines, "coinbase")) == sorted(key[1] for key in trades)


async def test_binance_recording_is_played_as_it_was(tmp_path: Path) -> None:
    """Subscribed streams only, their frames unchanged; aggregate trades are in the ledger."""
    path = recordings() / "binance.jsonl.zst"
    recorded = frames_of(path)
    streams = ["nknusdt@depth@100ms", "nknusdt@bookTicker", "nknusdt@aggTrade", "lrcbtc@aggTrade"]
    async with exchange(tmp_path / "ledger", recordings=(path,), speed=30.0) as here:
        client = await here.binance(*streams)
        await played(here)
        expected = [one for one in recorded if one["stream"] in streams]
        assert len(expected) > 200
        assert [one for one in client.frames if "stream" in one] == expected
        made = [one for one in here.ledger() if one["t"] == "trade"]
        assert [(one["symbol"], one["trade_seq"]) for one in made] == [
            ("NKN-USDT", 15_683_430),
            ("LRC-BTC", 9_213_679),
        ]
        assert sent_ids(here.ledger(), "binance") == [15_683_430, 9_213_679]


async def test_recorded_answers_and_trades_are_served() -> None:
    """Listings are cut to what was asked, depth goes by symbol, trades page by id."""
    folder = recordings()
    paths = (folder / "binance.jsonl.zst", folder / "coinbase.jsonl.zst")
    async with exchange(recordings=paths, waiting_for={"coinbase": 1}, speed=50.0) as here:
        wanted = json.dumps(["NKNUSDT", "LRCBTC"])
        _, info = await here.get("binance", "/api/v3/exchangeInfo", symbols=wanted)
        assert {one["symbol"] for one in info["symbols"]} == {"NKNUSDT", "LRCBTC"}
        _, depth = await here.get("binance", "/api/v3/depth", symbol="LRCBTC", limit="5000")
        assert depth["lastUpdateId"] == 259_345_543
        assert (await here.get("binance", "/api/v3/depth", symbol="BTCUSDT"))[0] == 404
        path = "/api/v3/brokerage/market/products"
        _, products = await here.get("coinbase", path, product_ids="ETH-USD")
        assert [one["product_id"] for one in products["products"]] == ["ETH-USD"]
        await here.coinbase("market_trades", "BTC-USD")
        await played(here)
        _, page = await here.get("coinbase", "/products/BTC-USD/trades", limit="5")
        after = str(page[-1]["trade_id"])
        _, older = await here.get("coinbase", "/products/BTC-USD/trades", limit="5", after=after)
        ids = [one["trade_id"] for one in (*page, *older)]
        assert ids == list(range(ids[0], ids[0] - 10, -1))


async def test_reconnecting_client_gets_the_latest_trades_as_snapshot() -> None:
    """A second subscription brings the newest 100 trades of what was played."""
    path = recordings() / "coinbase.jsonl.zst"
    async with exchange(recordings=(path,), speed=50.0) as here:
        first = await here.coinbase("market_trades", "BTC-USD")
        await played(here)
        second = await here.coinbase("market_trades", "BTC-USD")
        snapshot = second.frames[0]["events"][0]["trades"]
        everything = first.coinbase_trades(("snapshot", "update"))
        assert [int(t["trade_id"]) for t in reversed(snapshot)] == [
            int(t["trade_id"]) for t in everything[-100:]
        ]


async def test_recorded_frames_are_not_broken() -> None:
    """Faults that would change frames are refused; a disconnect works."""
    path = recordings() / "coinbase.jsonl.zst"
    async with exchange(recordings=(path,)) as here:
        body = {"kind": "malformed", "exchange": "coinbase"}
        status, answer = await here.control("POST", "/faults", body)
        assert status == 400 and "recording" in answer["error"]
        client = await here.coinbase("market_trades", "BTC-USD")
        await here.fault("disconnect", "coinbase")
        assert (await client.closed()).rcvd is None


def test_other_venues_and_empty_files_are_refused(tmp_path: Path) -> None:
    """The error names the file and what is wrong."""
    okx = tmp_path / "okx.jsonl"
    okx.write_text('{"t":"header","exchange":"OKX"}\n')
    with pytest.raises(ValueError, match=r"okx\.jsonl: recordings of okx cannot be played"):
        load_recording(okx)
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"t":"header","exchange":"BINANCE"}\n')
    with pytest.raises(ValueError, match="no frames"):
        load_recording(empty)
