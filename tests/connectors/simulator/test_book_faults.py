"""Lost book updates, wrong checksums, half-open sockets, and books to compare with."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets import State

from tests.connectors.simulator.harness import Client, Exchange, exchange, sent_ids, until

RUN: dict[str, Any] = {
    "rate": 100.0,
    "speed": 10.0,
    "symbols": 1,
    "ports": {"binance": 0, "coinbase": 0, "kraken": 0},
}


async def book_of(here: Exchange, venue: str) -> Client:
    """A client of the first symbol's book."""
    if venue == "binance":
        return await here.binance("btcusdt@depth@100ms")
    if venue == "coinbase":
        return await here.coinbase("level2", "BTC-USD")
    client = await here.connect("kraken", "/v2")
    params = {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}
    await client.send({"method": "subscribe", "params": params})
    await client.wait(lambda one: one.get("success"), "acknowledgement")
    return client


def updates(client: Client) -> list[dict[str, Any]]:
    """Book frames in order of arrival."""
    return [
        one
        for one in client.frames
        if one.get("channel") in ("l2_data", "book") or "depth" in one.get("stream", "")
    ]


def jumps(frames: list[dict[str, Any]], venue: str) -> int:
    """How often the venue's own numbers tell of a lost update."""
    if venue == "binance":
        ids = [(one["data"]["U"], one["data"]["u"]) for one in frames]
        return sum(after[0] != before[1] + 1 for before, after in pairwise(ids))
    numbers = [one["sequence_num"] for one in frames]
    return sum(after > before + 1 for before, after in pairwise(numbers))


@pytest.mark.parametrize("venue", ["binance", "coinbase"])
async def test_a_lost_book_update_shows_in_the_venues_numbers(venue: str, tmp_path: Path) -> None:
    """One update is missing, the ledger names it, and the numbers jump just once."""
    async with exchange(tmp_path / "ledger", **RUN) as here:
        client = await book_of(here, venue)
        await until(lambda: len(updates(client)) > 3, "updates")
        await here.fault("book_gap", venue, count=1)
        await until(lambda: here.engine.venues[venue].faults.quiet, "the fault strikes")
        count = len(updates(client))
        await until(lambda: len(updates(client)) > count + 5, "updates")
        frames = client.frames[1:] if venue == "coinbase" else updates(client)
        assert jumps(frames, venue) == 1
        hit = [one for one in here.ledger() if one.get("kind") == "book_gap" and "symbol" in one]
        assert len(hit) == 1 and hit[0]["sequence"] > 0


async def test_a_wrong_checksum_comes_once_and_only_where_there_are_any(tmp_path: Path) -> None:
    """Kraken's update differs from the true sum in one bit; Binance refuses the fault."""
    async with exchange(tmp_path / "ledger", **RUN) as here:
        client = await book_of(here, "kraken")
        await here.fault("checksum", "kraken", count=1)
        await until(lambda: here.engine.venues["kraken"].faults.quiet, "the fault strikes")
        lines = [one for one in here.ledger() if one.get("kind") == "checksum"]
        assert sum("sequence" in one for one in lines) == 1
        await until(lambda: len(updates(client)) > 2, "updates")
        body = {"kind": "checksum", "exchange": "binance"}
        status, answer = await here.control("POST", "/faults", body)
        assert status == 400 and "no checksums" in answer["error"]


async def test_half_open_sockets_stay_and_say_nothing(tmp_path: Path) -> None:
    """No data, no pong, no close; what is lost counts as not sent; new connections work."""
    async with exchange(tmp_path / "ledger", **RUN) as here:
        client = await here.binance("btcusdt@trade")
        await until(lambda: len(client.binance_trades()) > 5, "trades")
        await here.fault("half_open", "binance")
        await asyncio.sleep(0.2)
        seen = [one["t"] for one in client.binance_trades()]
        pong = await client.socket.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pong, 0.5)
        assert client.socket.state is State.OPEN
        assert [one["t"] for one in client.binance_trades()] == seen
        assert sent_ids(here.ledger(), "binance", "ws") == seen
        other = await here.binance("btcusdt@trade")
        await until(lambda: len(other.binance_trades()) > 5, "trades on another connection")


@pytest.mark.parametrize("venue", ["binance", "coinbase", "kraken"])
async def test_control_tells_the_book_of_a_moment(venue: str) -> None:
    """By the update id or the time of a frame; what was never told is 404."""
    async with exchange(**RUN) as here:
        client = await book_of(here, venue)
        await until(lambda: len(updates(client)) > 3, "updates")
        symbol = "BTC-USDT" if venue == "binance" else "BTC-USD"
        asked = f"/book?exchange={venue}&symbol={symbol}"
        if venue == "binance":
            frame = updates(client)[2]["data"]
            status, book = await here.control("GET", f"{asked}&sequence={frame['u']}")
            assert book["time_us"] == frame["E"] * 1000
            changed = [level for level in frame["b"] if float(level[1])]
            assert changed and all(level in book["bids"] for level in changed)
        else:
            status, book = await here.control("GET", asked)
            by_time = await here.control("GET", f"{asked}&time={book['time_us']}")
            assert by_time == (200, book)
        assert status == 200 and len(book["bids"]) == len(book["asks"]) == 40
        assert float(book["bids"][0][0]) < float(book["asks"][0][0])
        assert (await here.control("GET", f"{asked}&sequence=1"))[0] == 404
        assert (await here.control("GET", f"{asked}&time=noon"))[0] == 400
        assert json.dumps(book)


@pytest.mark.parametrize("kind", ["malformed", "truncate"])
async def test_kraken_breaks_frames_too(kind: str, tmp_path: Path) -> None:
    """Twenty frames without a sound trade; their ids are in no ``sent`` line."""
    async with exchange(tmp_path / "ledger", **RUN) as here:
        client = await here.connect("kraken", "/v2")
        params = {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": False}
        await client.send({"method": "subscribe", "params": params})
        await client.wait(lambda one: one.get("success"), "acknowledgement")
        await here.fault(kind, "kraken", count=20)
        await until(lambda: here.engine.venues["kraken"].faults.quiet, "the faults strike")
        lines = here.ledger()
        hits = {i for one in lines if one.get("kind") == kind for i in one.get("ids", ())}
        assert len(hits) == 20 and not hits & set(sent_ids(lines, "kraken", "ws"))
        await until(lambda: client.broken, "a broken frame")


@pytest.mark.parametrize("venue", ["coinbase", "kraken"])
async def test_a_snapshot_between_two_updates_is_a_book_that_control_knows(venue: str) -> None:
    """A later subscriber gets the book of the last update, with the time of its own frame."""
    async with exchange(**RUN) as here:
        await book_of(here, venue)
        for _ in range(5):
            client = await book_of(here, venue)
            frame = next(one for one in client.frames if one.get("channel") in ("l2_data", "book"))
            if venue == "kraken":
                (data,) = frame["data"]
                bids = {level["price"]: level["qty"] for level in data["bids"]}
                moment = data["timestamp"]
            else:
                (event,) = frame["events"]
                bids = {
                    float(one["price_level"]): float(one["new_quantity"])
                    for one in event["updates"]
                    if one["side"] == "bid"
                }
                moment = event["updates"][0]["event_time"]
            at = micros(moment)
            _, book = await here.control("GET", f"/book?exchange={venue}&symbol=BTC-USD&time={at}")
            told = book["bids"][: len(bids)]  # Kraken's subscribers get the best ones only
            assert {float(price): float(size) for price, size in told} == bids


def micros(moment: str) -> int:
    """µs since the epoch of UTC text."""
    when = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return round((when - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


async def test_slow_frames_come_in_bursts_cut_anywhere_and_none_is_lost() -> None:
    """Halves of a burst arrive apart; what arrives in the end is whole and in order."""
    async with exchange(**RUN) as here:
        client = await here.binance("btcusdt@trade")
        await here.fault("slow", "binance", seconds=15, delay=0.4)
        counts = []
        while not here.engine.venues["binance"].faults.quiet:
            counts.append(len(client.binance_trades()))
            await asyncio.sleep(0.05)
        assert any(after - before > 15 for before, after in pairwise(counts)), "a burst"
        assert sum(after == before for before, after in pairwise(counts)) > len(counts) // 2
        last = here.engine.venues["binance"].market.symbols[0].history.next_id - 1  # type: ignore[attr-defined]
        await until(lambda: client.binance_trades()[-1]["t"] >= last, "the rest")
        ids = [one["t"] for one in client.binance_trades()]
        assert ids == list(range(ids[0], ids[-1] + 1))
