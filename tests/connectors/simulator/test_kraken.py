"""Kraken's protocol v2, seen by a real client."""

import json
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from connectors.simulator.instruments import E8, Instrument
from connectors.simulator.kraken_frames import checksum
from tests.connectors.simulator.harness import Client, Exchange, exchange, sent_ids, until

FAST: dict[str, Any] = {"rate": 200.0, "speed": 20.0, "ports": {"kraken": 0}}
OLD: dict[str, Any] = {**FAST, "warm_up_seconds": 30.0}
TEN = (
    [45285.2, 45286.4, 45286.6, 45289.6, 45290.2, 45291.8, 45294.7, 45296.1, 45297.5, 45299.5],
    [45283.5, 45283.4, 45282.1, 45281.0, 45280.3, 45279.0, 45277.6, 45277.5, 45276.9, 45276.6],
)


async def kraken(here: Exchange, channel: str, *pairs: str, **params: object) -> Client:
    """A client of one channel, acknowledged for every pair."""
    client = await here.connect("kraken", "/v2")
    wanted = {"channel": channel, "symbol": pairs, **params}
    await client.send({"method": "subscribe", "params": wanted, "req_id": 7})
    await until(lambda: sum("success" in one for one in client.frames) == len(pairs), "acks")
    return client


def data(client: Client, channel: str, *kinds: str) -> list[dict[str, Any]]:
    """The data rows of a channel, in order of arrival."""
    return [
        row
        for frame in client.frames
        if frame.get("channel") == channel and frame["type"] in (kinds or ("snapshot", "update"))
        for row in frame["data"]
    ]


async def test_status_greets_and_each_symbol_is_acknowledged() -> None:
    """Status first; one answer a symbol with the request's id, then its snapshot."""
    async with exchange(**OLD) as here:
        client = await kraken(here, "trade", "BTC/USD", "ETH/USD")
        status = client.frames[0]
        assert status["channel"] == "status" and status["data"][0]["system"] == "online"
        acks = [one for one in client.frames if "success" in one]
        assert [one["result"]["symbol"] for one in acks] == ["BTC/USD", "ETH/USD"]
        assert all(one["success"] and one["req_id"] == 7 and one["time_in"] for one in acks)
        index = client.frames.index(acks[0])
        assert client.frames[index + 1]["type"] == "snapshot"


async def test_fifty_old_trades_and_then_updates(tmp_path: Path) -> None:
    """The snapshot's trades are in the ledger as such; the updates go on from them."""
    async with exchange(tmp_path / "ledger", **OLD) as here:
        client = await kraken(here, "trade", "BTC/USD")
        await until(lambda: len(data(client, "trade", "update")) > 50, "updates")
        old = [one["trade_id"] for one in data(client, "trade", "snapshot")]
        new = [one["trade_id"] for one in data(client, "trade", "update")]
        assert old == list(range(old[0], old[0] + 50))
        assert new == list(range(old[-1] + 1, old[-1] + 1 + len(new)))
        lines = here.ledger()
        assert sent_ids(lines, "kraken", "snapshot") == old
        assert sent_ids(lines, "kraken", "ws")[: len(new)] == new[: len(lines)]


async def test_side_is_the_takers_and_numbers_are_numbers(tmp_path: Path) -> None:
    """As in the ledger; price and size unquoted, at the pair's precision."""
    async with exchange(tmp_path / "ledger", **OLD) as here:
        client = await kraken(here, "trade", "BTC/USD")
        await until(lambda: data(client, "trade"), "trades")
        made = {
            line["trade_id"]: (line["side"], line["price"], line["size"])
            for line in here.ledger()
            if line["t"] == "trade" and line["symbol"] == "BTC-USD"
        }
        text = next(one for one in client.texts if '"trade"' in one and "snapshot" in one[:60])
        rows = json.loads(text, parse_float=str)["data"]
        assert {one["side"] for one in rows} == {"buy", "sell"}
        for one in rows:
            assert made[str(one["trade_id"])] == (one["side"], one["price"], one["qty"])
            assert len(one["price"].partition(".")[2]) == 2
            assert len(one["qty"].partition(".")[2]) == 8
            assert len(one["timestamp"]) == len("2023-10-06T17:35:55.440295Z")


def crc(bids: dict[str, str], asks: dict[str, str]) -> int:
    """The checksum as Kraken's guide says, from the texts of the wire."""
    best = sorted(asks, key=float)[:10], sorted(bids, key=float, reverse=True)[:10]
    text = ""
    for side, prices in zip((asks, bids), best, strict=True):
        for price in prices:
            text += price.replace(".", "").lstrip("0") + side[price].replace(".", "").lstrip("0")
    return zlib.crc32(text.encode())


@pytest.mark.parametrize("depth", [10, 25, 100])
async def test_book_follows_its_updates_with_checksums(depth: int) -> None:
    """Apply, cut to the depth, check: every sum is right, and the book is the market's."""
    run = {**OLD, "trades": 9000, "waiting_for": {"kraken": 1}}
    async with exchange(**run) as here:
        client = await here.connect("kraken", "/v2")
        params: dict[str, object] = {"channel": "book", "symbol": ["SOL/USD"], "depth": depth}
        await client.send({"method": "subscribe", "params": params})
        await until(lambda: data(client, "book"), "snapshot")
        await client.send(
            {"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}}
        )
        await here.finished()
        texts = [one for one in client.texts if one.startswith('{"channel":"book"')]
        sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        for text in texts:
            (row,) = json.loads(text, parse_float=str)["data"]
            for name, side in sides.items():
                side.update({level["price"]: level["qty"] for level in row[name]})
                gone = [price for price, size in side.items() if not float(size)]
                best = sorted(set(side) - set(gone), key=float, reverse=name == "bids")[:depth]
                sides[name] = {price: side[price] for price in best}
            assert crc(**sides) == row["checksum"]
        assert len(texts) > 20
        symbol = here.engine.venues["kraken"].market.by_native["SOL/USD"]  # type: ignore[attr-defined]
        for name, levels in zip(("bids", "asks"), symbol.book(), strict=True):
            assert {round(float(p) * E8) for p in sides[name]} == set(list(levels)[:depth])


def test_checksum_is_of_the_digits_of_the_ten_best_levels() -> None:
    """Asks rising, then bids falling, price then size, without points and leading zeros."""
    pair = Instrument("BTC", "USD", "BTC/USD", 1, 10**7, 1)
    asks, bids = ({round(p * 10) * 10**7: 100_000 for p in side} for side in TEN)
    digits = "".join(f"{round(price * 10)}100000" for side in TEN for price in side)
    assert digits.startswith("452852100000") and checksum(pair, bids, asks) == zlib.crc32(
        digits.encode()
    )


async def test_quotes_by_the_best_offer() -> None:
    """``event_trigger`` bbo: a frame only where a best price or its size changed."""
    async with exchange(**OLD) as here:
        client = await kraken(here, "ticker", "BTC/USD", event_trigger="bbo")
        await until(lambda: len(data(client, "ticker", "update")) > 50, "quotes")
        rows = data(client, "ticker", "update")
        best = [(one["bid"], one["bid_qty"], one["ask"], one["ask_qty"]) for one in rows]
        assert all(before != after for before, after in pairwise(best))
        assert all(one["bid"] < one["ask"] for one in rows)


async def test_candle_of_the_running_minute() -> None:
    """Open, high, low, close and volume are those of the trades since the minute began."""
    async with exchange(**OLD) as here:
        client = await kraken(here, "ohlc", "BTC/USD", interval=1)
        await until(lambda: len(data(client, "ohlc", "update")) > 2, "candles")
        for one in data(client, "ohlc", "update"):
            assert one["low"] <= one["open"] <= one["high"]
            assert one["interval_begin"].endswith(":00.000000000Z") and one["trades"] > 0


async def test_heartbeats_fill_the_silence_of_a_subscriber() -> None:
    """About one a second, and only to who has subscribed."""
    async with exchange(ports={"kraken": 0}, rate=0.01) as here:
        idle = await here.connect("kraken", "/v2")
        client = await kraken(here, "trade", "BTC/USD")
        await client.wait(lambda one: one == {"channel": "heartbeat"}, "heartbeat")
        assert {"channel": "heartbeat"} not in idle.frames


async def test_ping_is_answered() -> None:
    """The application's own ping, with its id."""
    async with exchange(**FAST) as here:
        client = await here.connect("kraken", "/v2")
        await client.send({"method": "ping", "req_id": 42})
        pong = await client.wait(lambda one: one.get("method") == "pong", "pong")
        assert pong["req_id"] == 42 and pong["time_in"] <= pong["time_out"]


async def test_unsubscribe_ends_a_channel() -> None:
    """Acknowledged; no more trades come."""
    async with exchange(**OLD) as here:
        client = await kraken(here, "trade", "BTC/USD")
        params = {"channel": "trade", "symbol": ["BTC/USD"]}
        await client.send({"method": "unsubscribe", "params": params, "req_id": 9})
        await client.wait(lambda one: one.get("req_id") == 9, "acknowledgement")
        count, now = len(data(client, "trade")), here.engine.clock.now_us
        await until(lambda: here.engine.clock.now_us > now + 2_000_000, "two seconds pass")
        assert len(data(client, "trade")) == count


SOUND = {"channel": "trade", "symbol": ["BTC/USD"]}


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("not json", "Malformed"),
        ({"method": "hello"}, "Method"),
        ({"method": "subscribe", "params": {**SOUND, "channel": "matches"}}, "Channel"),
        ({"method": "subscribe", "params": {**SOUND, "symbol": "BTC/USD"}}, "Symbol"),
        ({"method": "subscribe", "params": {**SOUND, "symbol": ["XX/USD"]}}, "XX/USD"),
        ({"method": "subscribe", "params": {**SOUND, "channel": "book", "depth": 7}}, "depth"),
        ({"method": "unsubscribe", "params": SOUND}, "Not Found"),
    ],
)
async def test_bad_requests_get_error_frames(message: object, hint: str) -> None:
    """``success`` false and a text; nothing is subscribed."""
    async with exchange(**FAST) as here:
        client = await here.connect("kraken", "/v2")
        await client.send(message)
        error = await client.wait(lambda one: one.get("success") is False, "error frame")
        assert hint in error["error"]
        assert here.engine.venues["kraken"].subscribers == 0


async def test_rest_lists_pairs_under_old_and_new_names() -> None:
    """``AssetPairs`` by either name; what is unknown is told in ``error``."""
    async with exchange(**OLD) as here:
        path = "/0/public/AssetPairs"
        _, old = await here.get("kraken", path, pair="XBTUSD,ETH/USD")
        assert set(old["result"]) == {"XXBTZUSD", "XETHZUSD"}
        btc = old["result"]["XXBTZUSD"]
        assert (btc["wsname"], btc["tick_size"], btc["lot_decimals"]) == ("XBT/USD", "0.01", 8)
        _, new = await here.get("kraken", path, pair="BTC/USD", assetVersion="1")
        assert new["result"]["BTC/USD"]["wsname"] == "BTC/USD"
        status, bad = await here.get("kraken", path, pair="NO/SUCH")
        assert status == 200 and bad["error"] == ["EQuery:Unknown asset pair"]


async def test_rest_pages_trades_by_time(tmp_path: Path) -> None:
    """From ``last`` to ``last`` every trade comes once, with its id, until none is left."""
    async with exchange(tmp_path / "ledger", trades=3000, **OLD) as here:
        await here.finished()
        ids: list[int] = []
        since = "0"
        while True:
            path = "/0/public/Trades"
            _, answer = await here.get("kraken", path, pair="XBTUSD", since=since, count="200")
            rows, since = answer["result"]["XXBTZUSD"], answer["result"]["last"]
            if not rows:
                break
            ids += [row[6] for row in rows]
        assert len(ids) > 400 and ids == list(range(ids[0], ids[0] + len(ids)))
        assert set(sent_ids(here.ledger(), "kraken", "rest")) == set(ids)
        _, newest = await here.get("kraken", "/0/public/Trades", pair="BTC/USD", count="3")
        assert [row[6] for row in newest["result"]["XXBTZUSD"]] == ids[-3:]
