"""Each fault, seen by a real client and told by the ledger."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.simulator.faults import MALFORMED_KINDS, load_schedule, malformed
from tests.connectors.simulator.harness import Client, Exchange, exchange, sent_ids, until

RUN: dict[str, Any] = {
    "rate": 100.0,
    "speed": 30.0,
    "symbols": 1,
    "waiting_for": {"binance": 1, "coinbase": 1},
}
VENUES = ("binance", "coinbase")


async def clients(here: Exchange) -> dict[str, Client]:
    """One client per venue with the trades of the first symbol."""
    return {
        "binance": await here.binance("btcusdt@trade"),
        "coinbase": await here.coinbase("market_trades", "BTC-USD"),
    }


def received(client: Client, venue: str) -> list[int]:
    """Trade ids in order of arrival; within a frame of Coinbase the oldest first."""
    if venue == "binance":
        return [one["t"] for one in client.binance_trades()]
    return [int(one["trade_id"]) for one in client.coinbase_trades()]


def sent(here: Exchange, venue: str) -> list[int]:
    """Trade ids that the ledger says were sent by the stream."""
    return sent_ids(here.ledger(), venue, "ws")


def hit(lines: list[dict[str, Any]], venue: str, kind: str) -> list[int]:
    """Ids that the ledger says a fault has hit."""
    return [
        trade_id
        for line in lines
        if line["t"] == "fault" and line["kind"] == kind and line["exchange"] == venue
        for trade_id in line.get("ids", ())
    ]


@pytest.mark.parametrize("venue", VENUES)
async def test_disorder_sends_late_but_once(venue: str, tmp_path: Path) -> None:
    """Held trades come up to 2 s of event time late, keep their time, and come once."""
    async with exchange(tmp_path / "ledger", trades=1500, **RUN) as here:
        client = (await clients(here))[venue]
        await here.fault("disorder", venue, probability=0.2, seconds=100.0)
        await here.finished()
        ids = received(client, venue)
        late = hit(here.ledger(), venue, "disorder")
        assert len(late) > 30
        assert ids != sorted(ids)
        assert sorted(ids) == list(range(min(ids), max(ids) + 1))
        assert sorted(ids) == sorted(sent(here, venue))
        if venue == "binance":
            times = [one["T"] for one in client.binance_trades()]
            newest, behind = 0, []
            for moment in times:
                newest = max(newest, moment)
                behind.append(newest - moment)
            assert 500 < max(behind) <= 2100


@pytest.mark.parametrize("venue", VENUES)
async def test_duplicates_are_sent_twice(venue: str, tmp_path: Path) -> None:
    """Every trade that was hit arrives twice, the others once; the ledger has both sends."""
    async with exchange(tmp_path / "ledger", trades=1500, **RUN) as here:
        client = (await clients(here))[venue]
        await here.fault("duplicate", venue, probability=0.3, count=50, seconds=100.0)
        await here.finished()
        ids = received(client, venue)
        twice = {trade_id for trade_id in ids if ids.count(trade_id) == 2}
        hits = hit(here.ledger(), venue, "duplicate")
        first = min(ids)
        assert twice == {trade_id for trade_id in hits if trade_id in ids}
        assert len(hits) == 50 and len(twice) > 20
        assert set(ids) == set(range(first, max(ids) + 1))
        assert sorted(ids) == sorted(sent(here, venue))


@pytest.mark.parametrize("kind", ["malformed", "truncate"])
@pytest.mark.parametrize("venue", VENUES)
async def test_broken_frames_count_as_not_sent(kind: str, venue: str, tmp_path: Path) -> None:
    """A broken frame arrives instead of each trade hit; REST has the trade."""
    async with exchange(tmp_path / "ledger", trades=1500, **RUN) as here:
        both = await clients(here)
        client = both[venue]
        symbol = "BTC-USDT" if venue == "binance" else "BTC-USD"
        await here.fault(kind, venue, count=20, symbol=symbol)
        await here.finished()
        lines = here.ledger()
        hits = hit(lines, venue, kind)
        assert len(hits) == 20
        ids = received(client, venue)
        assert not set(hits) & set(ids)
        assert sorted(ids) == sorted(sent(here, venue))
        assert set(ids) | set(hits) == set(range(min(ids + hits), max(ids + hits) + 1))
        if kind == "truncate":
            assert len(client.broken) == 20
        if venue == "coinbase" and kind == "malformed":
            assert len(client.broken) > 0
        assert sum(one["t"] == "fault" and one.get("phase") == "end" for one in lines) == 1
        if venue == "binance":
            _, rest = await here.get(
                venue, "/api/v3/historicalTrades", symbol="BTCUSDT", fromId=str(hits[0])
            )
            found = {one["id"] for one in rest}
        else:
            path = "/products/BTC-USD/trades"
            _, rest = await here.get(venue, path, after=str(hits[-1] + 1))
            found = {one["trade_id"] for one in rest}
        assert hits[0] in found or hits[-1] in found
        assert found <= set(sent_ids(here.ledger(), venue, "rest"))


async def test_disconnect_cuts_without_a_close_frame(tmp_path: Path) -> None:
    """The client sees the connection end abnormally; the other venue's goes on."""
    async with exchange(tmp_path / "ledger", **RUN) as here:
        both = await clients(here)
        await until(lambda: not here.engine.waiting, "the start of time")
        await here.fault("disconnect", "binance")
        end = await both["binance"].closed()
        assert end.rcvd is None
        count = len(both["coinbase"].frames)
        await until(lambda: len(both["coinbase"].frames) > count, "the other venue")
        kinds = [one["kind"] for one in here.ledger() if one["t"] == "fault"]
        assert kinds == ["disconnect", "dropped"]


@pytest.mark.parametrize("venue", VENUES)
async def test_silence_leaves_the_connection_up(venue: str, tmp_path: Path) -> None:
    """No data, pings are answered; the trades meanwhile are never sent by the stream."""
    async with exchange(tmp_path / "ledger", trades=2000, **RUN) as here:
        client = (await clients(here))[venue]
        await until(lambda: len(received(client, venue)) > 10, "first trades")
        await here.fault("silence", venue, seconds=5.0)
        await (await client.socket.ping())
        quiet = len(client.frames)
        now = here.engine.clock.now_us
        await until(lambda: here.engine.clock.now_us > now + 3_000_000, "three seconds pass")
        await asyncio.wait_for(await client.socket.ping(), 5)
        assert len(client.frames) <= quiet
        await here.finished()
        ids = received(client, venue)
        missed = [
            trade_id
            for line in here.ledger()
            if line["t"] == "fault" and line["kind"] == "silence" and line.get("ids")
            if line["symbol"] in ("BTC-USDT", "BTC-USD")
            for trade_id in line["ids"]
        ]
        assert len(missed) > 50 and not set(missed) & set(ids)
        assert set(ids) | set(missed) == set(range(min(ids), max(ids) + 1))


async def test_slow_pong_answers_late() -> None:
    """The client's ping is answered, but only after the delay."""
    async with exchange(**RUN) as here:
        client = (await clients(here))["binance"]
        assert await (await client.socket.ping()) < 0.3
        await here.fault("slow_pong", "binance", delay=0.6, seconds=600.0)
        assert await (await client.socket.ping()) >= 0.55


async def test_rest_down_and_up_again() -> None:
    """503 while it lasts; WebSockets still connect."""
    async with exchange(**RUN) as here:
        await clients(here)
        await here.fault("rest_down", "coinbase", seconds=30.0)
        assert (await here.get("coinbase", "/products"))[0] == 503
        assert (await here.get("binance", "/api/v3/ping"))[0] == 200
        await here.coinbase("market_trades", "BTC-USD")
        faults = here.engine.venues["coinbase"].faults
        await until(lambda: faults.quiet, "the end of the fault")
        assert (await here.get("coinbase", "/products"))[0] == 200


async def test_shutdown_is_announced() -> None:
    """Binance sends serverShutdown and cuts later; Coinbase closes with 1001."""
    async with exchange(**RUN) as here:
        both = await clients(here)
        await here.fault("shutdown", "binance", delay=0.2)
        await here.fault("shutdown", "coinbase")
        frame = await both["binance"].wait(
            lambda one: one.get("stream") == "!serverShutdown", "serverShutdown"
        )
        assert frame["data"]["e"] == "serverShutdown"
        assert (await both["binance"].closed()).rcvd is None
        end = await both["coinbase"].closed()
        assert end.rcvd is not None and end.rcvd.code == 1001


async def test_schedule_runs_in_simulated_time(tmp_path: Path) -> None:
    """A file of faults with ``at`` in simulated seconds after the start, in any order."""
    file = tmp_path / "faults.json"
    file.write_text(
        json.dumps(
            [
                {"kind": "truncate", "exchange": "binance", "at": 6, "seconds": 2},
                {"kind": "disconnect", "exchange": "coinbase", "at": 3},
            ]
        )
    )
    schedule = tuple(load_schedule(file))
    async with exchange(tmp_path / "ledger", trades=2000, schedule=schedule, **RUN) as here:
        both = await clients(here)
        await both["coinbase"].closed()
        await here.finished()
        start = here.engine.clock.start_us
        seen = {
            (one["kind"], one["phase"]): (one["now_us"] - start) / 1e6
            for one in here.ledger()
            if one["t"] == "fault" and "phase" in one
        }
        assert seen["disconnect", "start"] == pytest.approx(3, abs=0.1)
        assert seen["truncate", "start"] == pytest.approx(6, abs=0.1)
        assert seen["truncate", "end"] == pytest.approx(8, abs=0.2)
        assert len(both["binance"].broken) > 20


async def test_same_seed_gives_same_faults(tmp_path: Path) -> None:
    """Which trades are hit depends on the seed, not on the speed."""
    file = tmp_path / "faults.json"
    ordered = [{"kind": "disorder", "exchange": "binance", "seconds": 60, "probability": 0.1}]
    file.write_text(json.dumps(ordered))
    hits = []
    for speed in (20.0, 50.0):
        ledger = tmp_path / f"ledger-{speed}"
        settings = {**RUN, "speed": speed, "schedule": tuple(load_schedule(file))}
        async with exchange(ledger, trades=1500, **settings) as here:
            await clients(here)
            await here.finished()
            hits.append([one for one in here.ledger() if one["t"] == "fault" and "ids" in one])
            for one in hits[-1]:
                del one["at"]
    assert len(hits[0]) > 30
    assert hits[0] == hits[1]


@pytest.mark.parametrize("variant", range(MALFORMED_KINDS))
@pytest.mark.parametrize(
    "frame",
    [
        b'{"e":"trade","E":1,"s":"BTCUSDT","t":5,"p":"1.10","q":"2.00","T":1,"m":true,"M":true}',
        b'{"channel":"market_trades","sequence_num":4,"events":[{"type":"update","trades":'
        b'[{"product_id":"BTC-USD","trade_id":"5","price":"1.1","size":"2","side":"BUY"}]}]}',
    ],
)
def test_malformed_frames_hold_no_sound_price(frame: bytes, variant: int) -> None:
    """Broken JSON, or JSON whose price is not a number."""
    broken = malformed(frame, variant)
    try:
        found = json.loads(broken)
    except ValueError:
        return
    while isinstance(found, dict) and not ({"p", "price"} & found.keys()):
        found = found["events"][0] if "events" in found else found["trades"][0]
    price = found.get("p", found.get("price"))
    with pytest.raises((TypeError, ValueError)):
        float(price)


@pytest.mark.parametrize("size", [3, 40, 400])
def test_truncated_json_is_never_valid(size: int) -> None:
    """Any true prefix of an object is broken JSON."""
    frame = json.dumps({"p": "1" * size})
    cut = frame[: Random(size).randrange(1, len(frame) - 1)]
    with pytest.raises(ValueError, match=r"delimiter|Unterminated"):
        json.loads(cut)
